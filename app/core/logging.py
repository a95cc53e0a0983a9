"""Structured logs: one JSON object a line, with the request or job id, never with content."""

import logging
import sys
from typing import Any

import orjson
import structlog

from app.core.clock import utc_now

QUIET = ("uvicorn.access", "httpx", "httpcore", "asyncio")


def configure_logging(*, debug: bool = False) -> None:
    """Send our logs and those of the libraries to stderr as JSON lines; libraries speak from WARNING on."""
    level = logging.DEBUG if debug else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.INFO)


def write_line(event: str, **values: object) -> None:
    """Log at level info what is logged on every request: the same JSON, without structlog's steps on the way to it."""
    line = {**values, "event": event, "level": "info", "timestamp": utc_now()}
    stream = sys.stderr.buffer
    stream.write(orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    stream.flush()


def where(error: BaseException) -> list[str]:
    """The innermost frames of an error, for the log: its message may hold values and stays out."""
    frames = []
    trace = error.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/app/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-4:]


def _dumps(value: object, **_: Any) -> bytes:
    return orjson.dumps(value, default=str)


class _LibraryFormatter(logging.Formatter):
    """Records of libraries: the text as it was written, without its values, which may hold what people wrote."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "level": record.levelname.lower(),
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "logger": record.name,
            "event": str(record.msg) if record.args else record.getMessage()[:200],
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return orjson.dumps(line).decode()
