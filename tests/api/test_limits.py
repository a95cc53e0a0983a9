"""What is refused before anything is parsed, and how."""

import asyncio

import httpx
import pytest

from app.api.limits import Caller, InvalidJson, RateExceeded, Rates, check_json
from app.main import create_app
from tests.factories import auth, make_user

pytestmark = pytest.mark.anyio
REGISTER = "/v1/auth/register"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [b'{"name": NaN}', b"1e999", b'{"name": "\\ud800"}', b"[" * 5_000 + b"]" * 5_000, b"{", b"\xff\xfe", b"[[" * 20],
    ids=["nan", "overflow", "lone surrogate", "deep", "cut", "not utf-8", "cut and nested"],
)
async def test_what_is_not_json_is_a_400_without_an_echo(client, body):
    response = await client.post(REGISTER, content=body, headers=JSON)

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "invalid-json"


def test_nesting_counts_brackets_outside_strings_only():
    check_json(b'{"a": "' + b"[" * 100 + b'"}', 4)
    check_json(b"[" * 4 + b"]" * 4, 4)
    with pytest.raises(InvalidJson):
        check_json(b"[" * 5 + b"]" * 5, 4)
    check_json(b"[" + b",".join([b"{}"] * 100) + b"]", 4)


async def test_control_characters_are_a_422_that_does_not_repeat_them(client):
    body = {"email": "a@b.example", "password": "very secret \x00 thing", "name": "x\x00y"}
    response = await client.post(REGISTER, json=body)

    assert response.status_code == 422
    assert "secret" not in response.text


async def test_a_wrong_body_does_not_come_back(client):
    response = await client.post(REGISTER, json={"email": "hunter2-is-here", "password": 7, "hunter2": "hunter2"})

    assert response.status_code == 422
    assert response.json()["code"] == "unprocessable"
    assert "hunter2-is-here" not in response.text


async def test_a_declared_large_body_is_refused_unread(client, settings):
    headers = {**JSON, "Content-Length": str(settings.max_body_bytes + 1)}
    response = await client.post(REGISTER, content=b"{}", headers=headers)

    assert (response.status_code, response.json()["code"]) == (413, "body-too-large")


async def test_a_streamed_large_body_is_cut_off_at_the_limit(client, settings):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    response = await asyncio.wait_for(client.post(REGISTER, content=endless(), headers=JSON), 10)

    assert response.status_code == 413
    assert sent <= settings.max_body_bytes + 2 * 65_536


async def test_every_answer_carries_a_request_id_and_security_headers(client):
    for path in ("/health/live", "/v1/nothing", "/v1/auth/me"):
        response = await client.get(path, headers={"X-Request-ID": "from-the-client-1"})
        assert response.headers["x-request-id"] == "from-the-client-1"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in response.headers["content-security-policy"]
    odd = await client.get("/health/live", headers={"X-Request-ID": "has spaces <script>"})
    assert odd.headers["x-request-id"] != "has spaces <script>"


async def test_a_problem_names_the_request(client):
    response = await client.get("/v1/nothing")

    assert response.status_code == 404
    assert response.json()["request_id"] == response.headers["x-request-id"]


async def test_the_rate_is_limited_with_standard_headers(settings, runtime):
    limited = settings.model_copy(update={"rate_limit_per_minute": 3, "anonymous_rate_limit_per_minute": 50})
    user = await make_user()
    transport = httpx.ASGITransport(create_app(limited))
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test", headers=auth(user)) as client:
        first = await client.get("/v1/auth/me")
        answers = [await client.get("/v1/auth/me") for _ in range(5)]
        anonymous = await client.get("/v1/auth/me", headers={"Authorization": ""})

    assert first.headers["ratelimit-policy"].startswith('"default";q=')
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["code"] == "rate-exceeded"
    assert anonymous.status_code == 401


def test_a_forged_token_counts_for_its_address():
    rates = Rates(per_principal=100, per_address=2)
    for number in range(2):
        caller = Caller(b"forged %d" % number, b"192.0.2.1")
        rates.count(caller)
        rates.learn(caller, accepted=False)

    with pytest.raises(RateExceeded):
        rates.count(Caller(b"forged 3", b"192.0.2.1"))


async def test_metrics_are_for_this_machine_or_the_token(settings, runtime, client):
    local = await client.get("/metrics")
    forwarded = await client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})

    assert (local.status_code, forwarded.status_code) == (200, 404)
    assert 'lifevault_http_requests_total{method="GET"' in local.text


async def test_metrics_are_labelled_by_route_not_by_path(client):
    user = await make_user()
    await client.get("/v1/jobs/01a1fbe8-3eef-7d27-809c-9cfaba724faa", headers=auth(user))

    text = (await client.get("/metrics")).text

    assert 'route="/v1/jobs/{job_id}"' in text
    assert "01a1fbe8" not in text
