"""One contract: equal bodies over uvicorn, over AWS Lambda behind each of its gateways, through RapidAPI's proxy."""

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.cli.embedded.postgres import PostgresUrls
from app.core.clock import utc_now
from app.core.config import Settings
from tests.conftest import TEMPLATE, as_superuser, at, random_key
from tests.exports.calls import FILE, TEXT, Call, Json, calls
from tests.exports.household import household
from tests.stack import Person, Stack, free_port
from tests.system.functions import EVENTS, Function, Gateway

pytestmark = pytest.mark.slow
SECRET = secrets.token_hex(16)
CHANGING = re.compile(
    r'"request_id":"[^"]+"|"\w*id":"(?:chatcmpl|resp|msg)[^"]*"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)|"(?:next_cursor|challenge)":"[^"]+"'
)
OF_THE_PROCESS = {"health_metrics"}  # counts the requests of one process
TRIES = 60


class Hub(httpx.HTTPTransport):
    """RapidAPI's proxy: vouches for a consumer (https://docs.rapidapi.com/docs/additional-request-headers)."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        told = {"Proxy-Secret": SECRET, "User": "consumer", "Subscription": "PRO", "Version": "1.2.8"}
        request.headers.update({f"X-RapidAPI-{name}": value for name, value in told.items()})
        request.headers.update({"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "lifevault.p.rapidapi.com"})
        return super().handle_request(request)


@dataclass
class Deployment:
    """The same LifeVault as a server and as a function, and what there is in it."""

    stack: Stack
    function: Function
    owner: Person
    ids: Json
    document: Json


@pytest.fixture(scope="module")
def environment(settings: Settings, postgres: PostgresUrls) -> Iterator[dict[str, str]]:
    """The settings of processes that work on a database of their own."""
    name = f"own_{uuid4().hex}"
    asyncio.run(as_superuser(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER lifevault_owner"))
    given = {
        "environment": "test",
        "database_url": at(postgres.app, name),
        "redis_url": settings.redis_url.get_secret_value(),
        "root_keys": f"1:{random_key()}",
        "token_keys": f"k1:{random_key()}",
        "lookup_key": random_key(),
        "blob_url": settings.blob_url,
        "data_dir": str(settings.data_dir),
        "smtp_url": "smtp://127.0.0.1:1",
        "rate_limit_per_minute": "0",
        "anonymous_rate_limit_per_minute": "0",
        "rapidapi_secrets": SECRET,
        "metrics_token": secrets.token_hex(16),
    }
    yield {f"LIFEVAULT_{key.upper()}": value for key, value in given.items()}
    asyncio.run(as_superuser(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module")
def deployment(environment: dict[str, str]) -> Iterator[Deployment]:
    stack = Stack(Path("/nowhere"), free_port())
    server = ["-m", "uvicorn", "app.main:app", "--port", str(stack.port), "--no-access-log", "--log-level", "error"]
    process = subprocess.Popen([sys.executable, *server], env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    function = Function("app.lambda_handler.handler", environment)
    try:
        stack.wait_ready()
        document = httpx.get(f"{stack.url}/openapi.json", timeout=60).json()
        owner, ids = household(stack, lambda person, job_id: swept(function, person, job_id))
        yield Deployment(stack, function, owner, ids, document)
    finally:
        stack.close()
        function.close()
        process.terminate()
        process.wait()


def scheduled() -> Json:
    """What a rule of EventBridge sends each minute."""
    time = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"version": "0", "id": str(uuid4()), "source": "aws.events", "detail-type": "Scheduled Event", "time": time}


def swept(function: Function, person: Person, job_id: str) -> None:
    """Let the schedule do the work of a worker until a job has ended."""
    for _ in range(TRIES):
        answer = function.invoke(scheduled())
        assert answer["failed"] == []
        if person.client.get(f"/v1/jobs/{job_id}").raise_for_status().json()["state"] == "succeeded":
            return
    raise AssertionError(f"job {job_id} did not end")


@pytest.fixture(scope="module")
def ways(deployment: Deployment) -> Iterator[dict[str, httpx.Client]]:
    """A client for each way in."""
    url = deployment.stack.url
    made = {kind: httpx.Client(transport=Gateway(deployment.function, kind), base_url=url) for kind in EVENTS}
    made["hub"] = httpx.Client(transport=Hub(), base_url=url)
    made["server"] = httpx.Client(base_url=url)
    yield made
    for client in made.values():
        client.close()


def send(client: httpx.Client, call: Call, authorization: str) -> httpx.Response:
    url = call.url.format_map(call.path)
    headers = {**{name: str(value) for name, value in call.headers.items()}, "Authorization": authorization}
    return client.request(call.method.upper(), url, params=call.query, headers=headers, timeout=120, **_content(call))


def _content(call: Call) -> dict[str, Any]:
    if not call.media:
        return {}
    if call.media == "application/json":
        return {"json": call.body}
    if call.body == FILE:
        return {"content": TEXT}
    form = {name: value for name, value in call.body.items() if value != FILE}
    if call.media != "multipart/form-data":
        return {"data": form}
    files = {name: ("policy.txt", TEXT) for name, value in call.body.items() if value == FILE}
    return {"data": {name: value for name, value in form.items() if isinstance(value, str)}, "files": files}


def told(call: Call, response: httpx.Response) -> tuple[int, str, str | bytes]:
    """What a client sees, without what no two answers share."""
    kind = response.headers.get("content-type", "")
    if call.operation in OF_THE_PROCESS:
        return response.status_code, kind, ""
    if not response.content:
        return response.status_code, "", ""
    is_text = kind.startswith("text/") or "json" in kind
    return response.status_code, kind, CHANGING.sub("…", response.text) if is_text else response.content


def differences(ways: dict[str, httpx.Client], made: list[Call], authorization: str) -> list[Any]:
    """Where a way in answers otherwise than the server."""
    found: list[Any] = []
    for call in made:
        expected = told(call, send(ways["server"], call, authorization))
        for name in ways.keys() - {"server"}:
            if (answer := told(call, send(ways[name], call, authorization))) != expected:
                found.append((name, call.operation, answer, expected))
    return found


def test_what_is_refused_is_refused_alike_for_every_operation(deployment: Deployment, ways: dict[str, httpx.Client]):
    made = calls(deployment.document, deployment.ids)
    for call in made:
        if not call.is_guarded and call.media == "application/json":
            call.body = {}  # no accounts are made, no letters are sent

    assert len(made) == sum(len(methods) for methods in deployment.document["paths"].values())
    assert differences(ways, made, "Bearer of.no.worth") == []


def test_what_is_malformed_is_refused_alike_for_every_operation(deployment: Deployment, ways: dict[str, httpx.Client]):
    made = [call for call in calls(deployment.document, deployment.ids) if call.media == "application/json"]
    for call in made:
        call.body = []
    authorization = deployment.owner.client.headers["Authorization"]

    assert {send(ways["server"], call, authorization).status_code for call in made} <= {400, 401, 422}
    assert differences(ways, made, authorization) == []


def test_what_is_read_reads_alike_for_every_operation(deployment: Deployment, ways: dict[str, httpx.Client]):
    made = [call for call in calls(deployment.document, deployment.ids) if call.method in ("get", "head")]
    authorization = deployment.owner.client.headers["Authorization"]

    assert len(made) > 100
    assert differences(ways, made, authorization) == []


def test_files_arrive_and_leave_byte_by_byte(deployment: Deployment, ways: dict[str, httpx.Client]):
    authorization = {"Authorization": deployment.owner.client.headers["Authorization"]}
    content = bytes(range(256)) * 64
    for client in ways.values():
        form = {"data": {"vault_id": deployment.owner.vault_id}, "files": {"file": ("a.bin", content)}}
        made = client.post("/v1/vault/documents", headers=authorization, timeout=120, **form)
        assert made.status_code == 202, made.text
        read = client.get(f"/v1/vault/documents/{made.json()['id']}/content", headers=authorization)
        assert read.content == content


def test_a_consumer_of_the_hub_is_let_in(ways: dict[str, httpx.Client]):
    assert ways["hub"].get("/v1/vault/vaults").status_code == 200
    assert ways["server"].get("/v1/vault/vaults").status_code == 401


def test_a_schedule_runs_each_task_once_in_its_period(deployment: Deployment):
    later = {**scheduled(), "time": "2099-12-31T23:59:30Z"}

    first, again = deployment.function.invoke(later), deployment.function.invoke(later)

    assert first["tasks"] > 30
    assert first["failed"] == []
    assert again["tasks"] == 0
