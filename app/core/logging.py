"""Structured logs: one JSON object a line, with the request or job id, never with content."""

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import orjson

from app.core.clock import utc_now

OURS: Final = "app"
QUIET: Final = ("uvicorn.access", "httpx", "httpcore", "asyncio")

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


class Log(logging.LoggerAdapter[logging.Logger]):
    """Logs a constant text with named values: `log.info("item created", item_id=…)`; ids and codes, never content."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Keep the values of the line together, under one name."""
        return msg, {"extra": {"values": dict(kwargs)}}


def get_log(name: str) -> Log:
    """The log of a module, by its `__name__`."""
    return Log(logging.getLogger(name))


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Add these values to every line that is logged within, also by the tasks that begin there."""
    token = _bound.set({**_bound.get(), **values})
    try:
        yield
    finally:
        _bound.reset(token)


def configure_logging(*, debug: bool = False) -> None:
    """Send our logs and those of the libraries to stderr as JSON lines; libraries speak from WARNING on."""
    logging.basicConfig(level=logging.WARNING, handlers=[_JsonLines()], force=True)
    logging.getLogger(OURS).setLevel(logging.DEBUG if debug else logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.INFO)


def write_line(event: str, **values: object) -> None:
    """Log at level info what is logged on every request: the same JSON, without the steps of `logging` on the way."""
    _write({**values, "event": event, "level": "info", "timestamp": utc_now()})


def where(error: BaseException) -> list[str]:
    """The innermost frames of an error, for the log: its message may hold values and stays out."""
    frames = []
    trace = error.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/app/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-4:]


def _write(line: dict[str, object]) -> None:
    stream = sys.stderr.buffer
    stream.write(orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    stream.flush()


class _JsonLines(logging.Handler):
    """Of libraries only the text as it was written: its values may hold what people wrote."""

    def emit(self, record: logging.LogRecord) -> None:
        values: Mapping[str, object] | None = getattr(record, "values", None)
        line = {**_bound.get(), **(_of_library(record) if values is None else {**values, "event": record.msg})}
        line |= {"level": record.levelname.lower(), "timestamp": datetime.fromtimestamp(record.created, UTC)}
        _write(line)


def _of_library(record: logging.LogRecord) -> dict[str, object]:
    text = str(record.msg) if record.args else record.getMessage()[:200]
    line: dict[str, object] = {"logger": record.name, "event": text}
    if record.exc_info and record.exc_info[0]:
        line["error"] = record.exc_info[0].__name__
    return line
