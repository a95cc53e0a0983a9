"""Services that are down, silent, or break off, and that come back."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.core import breaker
from tests.factories import auth, make_user
from tests.gateway.conftest import KEY, Process, Serve

pytestmark = pytest.mark.anyio
BILLS = "/v1/gateway/billing"


async def until_answered(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    """The first answer of the service itself; the test's own time limit ends the waiting."""
    while (answer := await client.get(f"{BILLS}/json", headers=headers)).status_code != 200:
        assert answer.status_code in (502, 503)
    return answer


async def test_a_killed_service_is_a_502_then_left_alone_and_found_when_it_is_back(
    serve: Serve, billing: Process, papers: Process
):
    person = await make_user()
    services = {"billing": {"url": billing.url}, "papers": {"url": papers.url}}
    async with serve({"services": services}) as client:
        assert (await client.get(f"{BILLS}/json", headers=auth(person))).json()["service"] == "billing"
        billing.kill()
        answers = [await client.post(f"{BILLS}/json", headers=auth(person)) for _ in range(3)]
        resting = await client.get(f"{BILLS}/json", headers=auth(person))
        other = await client.get("/v1/gateway/papers/json", headers=auth(person))
        ready = (await client.get("/health/ready")).json()
        metrics = (await client.get("/metrics")).text
        billing.start()
        back = await until_answered(client, auth(person))
        healthy = (await client.get("/health/ready")).json()

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(502, "service-unreachable")] * 3
    assert (resting.status_code, resting.json()["code"]) in ((503, "service-resting"), (502, "service-unreachable"))
    assert all(int(each.headers["retry-after"]) >= 1 for each in (*answers, resting))
    assert all(each.headers["content-type"] == "application/problem+json" for each in answers)
    assert other.status_code == 200
    assert (ready["status"], ready["parts"]["gateway billing"]) == ("degraded", "down")
    assert 'lifevault_breaker_open{service="gateway billing"} 1.0' in metrics
    assert back.json()["service"] == "billing"
    assert "gateway billing" not in healthy["parts"]
    assert "gateway billing" not in breaker.states()


async def test_a_safe_request_survives_a_service_that_was_restarted_in_between(serve: Serve, billing: Process):
    person = await make_user()
    async with serve({"services": {"billing": {"url": billing.url}}}) as client:
        for _ in range(2):
            assert (await client.get(f"{BILLS}/json", headers=auth(person))).status_code == 200
            billing.kill()
            billing.start()
        assert (await client.get(f"{BILLS}/json", headers=auth(person))).status_code == 200


async def test_a_silent_service_is_a_504(serve: Serve, papers: Process):
    person = await make_user()
    service = {"url": papers.url, "silence_seconds": 0.3}
    async with serve({"services": {"papers": service}}) as client:
        answer = await client.get("/v1/gateway/papers/silent", headers=auth(person))

    assert (answer.status_code, answer.json()["code"]) == (504, "service-timeout")
    assert int(answer.headers["retry-after"]) >= 1


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url}}}) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/v1/gateway/papers/cut", headers=auth(person))


async def test_what_a_service_answers_itself_stays_as_it_is(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url, "failures": 2}}}) as client:
        statuses = [
            (await client.get(f"/v1/gateway/papers/status/{status}", headers=auth(person))).status_code
            for status in (404, 500, 500, 500, 503, 503, 503)
        ]

    assert statuses[:6] == [404, 500, 500, 500, 503, 503]  # an error of its own is an answer; being away is none
    assert statuses[6] == 503


def smoke(table: dict[str, Any], *arguments: str) -> tuple[int, str]:
    keys = ",".join(f"{name}:{KEY}" for name in table["services"])
    environment = {"LIFEVAULT_GATEWAY_TABLE": json.dumps(table), "LIFEVAULT_GATEWAY_KEYS": keys}
    result = CliRunner().invoke(app, ["gateway", "smoke", *arguments], env=environment)
    return result.exit_code, result.stdout


def test_smoke_asks_every_service_and_route_and_says_what_fails(papers: Process, billing: Process):
    routes = [
        {"prefix": "/old/papers", "service": "papers", "service_prefix": "/base", "smoke_path": "/old/papers/json"},
        {"prefix": "/old/bills", "service": "billing", "service_prefix": "/status", "smoke_path": "/old/bills/500"},
    ]
    services = {
        "papers": {"url": papers.url, "health_path": "/json"},
        "billing": {"url": billing.url, "health_path": "/json"},
    }
    table = {"services": services, "routes": routes}
    code, shown = smoke(table, "--json")
    checks = {each["name"]: (each["status"], each["ok"]) for each in json.loads(shown)}

    assert code == 1
    assert checks == {
        "papers health": (200, True),
        "/old/papers → papers": (200, True),
        "billing health": (200, True),
        "/old/bills → billing": (500, False),
    }
    billing.kill()
    code, shown = smoke({"services": services, "routes": routes[:1]})
    billing.start()
    assert code == 1
    assert "✗" in shown


async def test_smoke_asks_through_a_running_gateway_too(serve: Serve, papers: Process):
    person = await make_user()
    table = {
        "services": {"papers": {"url": papers.url, "health_path": "/json"}},
        "routes": [{"prefix": "/old/papers", "service": "papers", "smoke_path": "/old/papers/json"}],
    }
    async with serve(table) as client:
        through = ("--through", str(client.base_url), "--token", person.access_token, "--json")
        code, shown = await asyncio.to_thread(smoke, table, *through)

    assert code == 0, shown
    assert {each["name"] for each in json.loads(shown)} >= {"papers by gateway", "/old/papers by gateway"}
