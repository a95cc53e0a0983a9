"""Statements that take long, in the log: their text, without any value."""

import math
import re
import time
from typing import Any, Final

from prometheus_client import Counter
from sqlalchemy import Engine, event

from app.core import telemetry
from app.core.logging import get_log

MOST_CHARACTERS: Final = 2_000
QUOTED: Final = re.compile(r"'(?:[^']|'')*'")
NUMBER: Final = re.compile(r"(?<![\w$.])\d+(?:\.\d+)?\b")

log = get_log(__name__)
statements = Counter("lifevault_slow_statements_total", "Statements that took longer than the settings want.")


class SlowLog:
    """Notes what takes at least so many seconds; never, before any are set."""

    def __init__(self) -> None:
        self._seconds = math.inf

    def set(self, seconds: float) -> None:
        """Note what takes at least so many seconds from now on; 0 is nothing."""
        self._seconds = seconds or math.inf

    def note(self, sql: str, started: float) -> None:
        """A statement has ended that began at `started`, by `time.perf_counter`."""
        seconds = time.perf_counter() - started
        if telemetry.is_tracing():
            telemetry.add_statement(without_values(sql), seconds)
        if seconds >= self._seconds:
            statements.inc()
            log.warning("slow statement", statement=without_values(sql), seconds=round(seconds, 3))


slow_log: Final = SlowLog()
"""That of this process; `app.db.engine` sets its seconds."""


def without_values(sql: str) -> str:
    """A statement with ? in the place of each value that stands in its text."""
    return NUMBER.sub("?", QUOTED.sub("?", sql))[:MOST_CHARACTERS]


def watch_statements(engine: Engine) -> None:
    """Note those of SQLAlchemy; those that are sent by the driver note themselves."""

    def before(_connection: Any, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
        context._lifevault_started = time.perf_counter()

    def after(_connection: Any, _cursor: Any, sql: str, _values: Any, context: Any, _many: bool) -> None:
        slow_log.note(sql, context._lifevault_started)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
