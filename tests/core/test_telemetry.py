"""Traces and reports of faults, as real receivers get them: no content in them."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import SecretStr
from starlette.routing import Route

from app.core import telemetry
from app.core.tasks import TASKS, Task
from app.db.session import session_scope
from app.jobs import service as jobs
from app.jobs.runner import run_job
from app.main import create_app
from tests.factories import auth, make_item, make_user, make_vault
from tests.serving import listening

pytestmark = pytest.mark.anyio
WORD = "kestrelmarble"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Receiver:
    """A collector of OpenTelemetry, and Sentry, in one."""

    url: str
    heard: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for path, body, _ in self.heard if path == "/v1/traces"]
        scopes = [scope for request in requests for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    @property
    def events(self) -> list[dict[str, object]]:
        lines = [body.split(b"\n") for path, body, _ in self.heard if path.endswith("/envelope/")]
        return [json.loads(each[2]) for each in lines if json.loads(each[1])["type"] == "event"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            received.heard.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as url:
        received = Receiver(url)
        yield received


@pytest.fixture
def settings_of(runtime, receiver):
    changes = {
        "otel_endpoint": receiver.url,
        "otel_headers": SecretStr("x-token=abc"),
        "sentry_dsn": SecretStr(receiver.url.replace("http://", "http://key@") + "/1"),
    }
    return runtime.settings.model_copy(update=changes)


def attributes(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_request_is_a_span_with_its_statements_and_nothing_that_was_sent(runtime, receiver, settings_of):
    owner = await make_user(name=WORD)
    item = await make_item(owner, await make_vault(owner, name=WORD), title=WORD)
    stop = telemetry.start(settings_of)
    transport = httpx.ASGITransport(create_app(settings_of), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test", headers=auth(owner)) as client:
        parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-ID": "request-0001"}
        answer = await client.get(f"/v1/vault/items/{item.id}?{WORD}=1", headers=parent)
        unsampled = {"traceparent": "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
        await client.get(f"/v1/vault/items/{item.id}", headers=unsampled)
    await stop()

    assert answer.status_code == 200
    (request,) = [span for span in receiver.spans if span.name.startswith("GET ")]
    assert request.name == "GET /v1/vault/items/{item_id}"
    assert request.trace_id.hex() == TRACE
    assert attributes(request) == {
        "http.request.method": "GET",
        "http.route": "/v1/vault/items/{item_id}",
        "http.response.status_code": 200,
        "lifevault.request_id": "request-0001",
    }
    statements = [span for span in receiver.spans if span.name != request.name]
    assert statements
    assert all(span.parent_span_id == request.span_id for span in statements)
    sent = b"".join(body for _, body, _ in receiver.heard)
    for secret in (WORD, str(item.id), str(owner.id), owner.email):
        assert secret.encode() not in sent
    assert receiver.heard[0][2]["x-token"] == "abc"


async def test_a_fault_is_reported_by_its_class_and_place_alone(runtime, receiver, settings_of):
    app = create_app(settings_of)

    async def fail(_request: object) -> None:
        secret = WORD
        raise ValueError(f"can't read {secret}")

    app.router.routes.append(Route("/fail", fail, methods=["POST"]))
    stop = telemetry.start(settings_of)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        answer = await client.post("/fail", json={"note": WORD}, headers={"Cookie": WORD})
    await stop()

    assert answer.status_code == 500
    (event,) = receiver.events
    (error,) = event["exception"]["values"]
    assert error["type"] == "ValueError"
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert WORD.encode() not in b"".join(body for _, body, _ in receiver.heard)
    assert {"server_name", "request", "user", "breadcrumbs"} & event.keys() == set()


async def test_a_job_is_a_span_and_its_fault_is_reported(runtime, receiver, settings_of):
    async def break_down(_run: object) -> None:
        raise KeyError(WORD)

    TASKS["test.break_down"] = Task("test.break_down", break_down, None, None)
    async with session_scope() as session:
        job_id = await jobs.create_job(session, "test.break_down")
    stop = telemetry.start(settings_of.model_copy(update={"otel_sampled_share": 1.0}))
    await run_job(job_id, 30)
    await stop()
    del TASKS["test.break_down"]

    assert "job test.break_down" in {span.name for span in receiver.spans}
    assert [event["exception"]["values"][0]["type"] for event in receiver.events] == ["KeyError"]
    assert WORD.encode() not in b"".join(body for _, body, _ in receiver.heard)


async def test_nothing_is_imported_or_sent_unless_it_is_wanted(runtime):
    assert not telemetry.is_wanted(runtime.settings)
    with telemetry.span("anything", {}) as span:
        assert span is None
    telemetry.report(ValueError())
    telemetry.add_statement("SELECT 1", 1)
