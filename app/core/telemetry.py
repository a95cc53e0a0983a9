"""Traces to a collector of OpenTelemetry and faults to Sentry, where the settings name them: extras `otel`, `sentry`.

Spans and events hold names, ids of requests, routes, statuses and times. What people wrote, who they are and what an
error says (it may repeat a value) is not sent: an event has the classes of errors and the places in our code.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from app.core.config import Settings, SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer
    from sentry_sdk.types import Event, Hint

NAME: Final = "lifevault"
FLUSH_SECONDS: Final = 2.0
KEPT: Final = ("event_id", "timestamp", "level", "platform", "release", "environment", "tags", "exception", "sdk")
FRAME: Final = ("filename", "function", "module", "lineno", "in_app")

_tracers: "list[Tracer]" = []
_reporters: list[Callable[[BaseException], None]] = []


def is_wanted(settings: Settings) -> bool:
    """Whether anything is sent anywhere."""
    return bool(settings.otel_endpoint or settings.sentry_dsn.get_secret_value())


def start(settings: Settings) -> Callable[[], Awaitable[None]]:
    """Begin to send, in this process; returns what ends it and sends the rest. Raises `SettingsError`."""
    endings = []
    try:
        if settings.otel_endpoint:
            endings.append(_start_traces(settings))
        if settings.sentry_dsn.get_secret_value():
            endings.append(_start_reports(settings))
    except ImportError as error:
        raise SettingsError([f"{error.name} is not installed: pip install 'lifevault[otel,sentry]'"]) from None

    async def stop() -> None:
        for end in endings:
            await asyncio.to_thread(end)

    return stop


def report(error: BaseException) -> None:
    """Tell Sentry of a fault of ours, if it is to know."""
    for tell in _reporters:
        tell(error)


@contextmanager
def span(name: str, attributes: Mapping[str, str | int], parent: Mapping[str, str] | None = None) -> Iterator[Any]:
    """A span around a piece of work, below the one that the headers `parent` name; None while nothing is traced."""
    if not _tracers:
        yield None
        return
    from opentelemetry import propagate  # noqa: PLC0415  an extra

    context = propagate.extract(parent) if parent else None
    with _tracers[0].start_as_current_span(
        name, context=context, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        yield current


def add_statement(text: str, seconds: float) -> None:
    """A statement of the database that has just ended, as a span below the present one; `text` has no values in it."""
    if not _tracers:
        return
    ended = time.time_ns()
    begun = ended - int(seconds * 1e9)
    attributes = {"db.system.name": "postgresql", "db.query.text": text}
    statement: Span = _tracers[0].start_span(
        text.split(" ", 1)[0].upper()[:20], start_time=begun, attributes=attributes
    )
    statement.end(ended)


def is_tracing() -> bool:
    """Whether spans are made in this process."""
    return bool(_tracers)


def _start_traces(settings: Settings) -> Callable[[], None]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    headers = (each.partition("=") for each in settings.otel_headers.get_secret_value().split(",") if each)
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otel_endpoint.rstrip('/')}/v1/traces",
        headers={name.strip(): value.strip() for name, _, value in headers},
    )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.otel_sampled_share)),
        resource=Resource({"service.name": NAME, "service.version": _release(settings)}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracers[:] = [provider.get_tracer(NAME)]

    def end() -> None:
        _tracers.clear()
        provider.shutdown()

    return end


def _release(settings: Settings) -> str:
    return settings.release or version(NAME)


def _start_reports(settings: Settings) -> Callable[[], None]:
    from sentry_sdk import Client  # noqa: PLC0415  an extra
    from sentry_sdk.utils import event_from_exception  # noqa: PLC0415

    client = Client(
        dsn=settings.sentry_dsn.get_secret_value(),
        release=f"{NAME}@{_release(settings)}",
        environment=settings.environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        before_send=only_places,
    )

    def tell(error: BaseException) -> None:
        event, hint = event_from_exception(error, client_options=client.options)
        client.capture_event(event, hint)

    _reporters[:] = [tell]

    def end() -> None:
        _reporters.clear()
        client.close(timeout=FLUSH_SECONDS)

    return end


def only_places(event: "Event", _hint: "Hint") -> "Event":
    """What of an event may leave: the classes of errors and the frames that they came through."""
    kept: Any = {name: value for name, value in event.items() if name in KEPT}
    values = (kept.get("exception") or {}).get("values") or []
    kept["exception"] = {
        "values": [
            {
                "type": each.get("type"),
                "module": each.get("module"),
                "stacktrace": {"frames": [_place(frame) for frame in (each.get("stacktrace") or {}).get("frames", [])]},
            }
            for each in values
        ]
    }
    result: Event = kept
    return result


def _place(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in FRAME if name in frame}
