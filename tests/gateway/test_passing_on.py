"""Requests passed on to older services, by way of real sockets and processes."""

import asyncio
import hashlib
import os
from typing import Any

import pytest
from jose import jwt
from pydantic import SecretStr

from app.core.config_problems import decoded
from tests.conftest import application
from tests.factories import auth, make_user
from tests.gateway.conftest import KEY, Process, Serve

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


def headers_of(echo: Json) -> dict[str, str]:
    return dict(echo["headers"])


async def test_a_request_reaches_the_service_as_it_was_sent_but_for_who_sent_it(serve: Serve, papers: Process):
    person = await make_user()
    sent = {
        **auth(person),
        **{"Cookie": "a=1", "X-Custom": "kept", "X-Forwarded-For": "6.6.6.6", "X-Request-ID": "request-0001"},
        **{"X-LifeVault-Identity": "forged", "X-RapidAPI-User": "forged", "Connection": "X-Hop", "X-Hop": "1"},
        **{"TE": "trailers", "Proxy-Authorization": "Basic x", "X-Original-URL": "/admin"},
    }
    async with serve({"services": {"papers": {"url": f"{papers.url}/base"}}}) as client:
        answer = await client.patch("/v1/gateway/papers/a%20b/ü?q=1&q=%2F", content=b"some words", headers=sent)

    assert answer.status_code == 200
    echo = answer.json()
    got = headers_of(echo)
    assert (echo["method"], echo["path"]) == ("PATCH", "/base/a%20b/%C3%BC?q=1&q=%2F")
    assert echo["digest"] == hashlib.sha256(b"some words").hexdigest()
    assert got["host"] == papers.url.removeprefix("http://")
    assert (got["x-custom"], got["x-request-id"], got["via"]) == ("kept", "request-0001", "1.1 lifevault")
    assert got["x-forwarded-for"] == "127.0.0.1"
    hidden = {"authorization", "cookie", "x-hop", "te", "proxy-authorization", "x-rapidapi-user", "x-original-url"}
    assert hidden & got.keys() == set()
    claims = jwt.decode(got["x-lifevault-identity"], decoded(KEY), "HS256", audience="papers", issuer="lifevault")
    assert (claims["sub"], claims["typ"], claims["req"]) == (str(person.id), "gateway", "request-0001")
    assert claims["exp"] - claims["iat"] == 60
    assert answer.headers["x-request-id"] == "request-0001"
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_without_a_key_nobody_is_passed_on_unsigned(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url}}}, gateway_keys=SecretStr("")) as client:
        answer = await client.get("/v1/gateway/papers/x", headers=auth(person))

    assert (answer.status_code, answer.json()["code"]) == (503, "service-unsigned")


async def test_an_empty_body_is_one_too(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url}}}) as client:
        answer = await client.post("/v1/gateway/papers/x", headers=auth(person))

    assert (answer.json()["length"], headers_of(answer.json())["content-length"]) == (0, "0")


async def test_the_signed_token_opens_nothing_here(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url}}}) as client:
        echo = (await client.get("/v1/gateway/papers/echo", headers=auth(person))).json()
        token = headers_of(echo)["x-lifevault-identity"]
        answer = await client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


@pytest.mark.parametrize("identity", ["credentials", "none"])
async def test_a_service_may_get_the_persons_own_credentials_or_none(serve: Serve, papers: Process, identity: str):
    person = await make_user()
    service = {"url": papers.url, "identity": identity}
    async with serve({"services": {"papers": service}}) as client:
        echo = await client.get("/v1/gateway/papers/echo", headers={**auth(person), "Cookie": "a=1"})

    got = headers_of(echo.json())
    expected = (f"Bearer {person.access_token}", "a=1") if identity == "credentials" else (None, None)
    assert (got.get("authorization"), got.get("cookie")) == expected
    assert "x-lifevault-identity" not in got


async def test_nobody_is_passed_on_without_a_sign_in_or_with_fewer_scopes_than_asked(serve: Serve, papers: Process):
    part = await make_user(scope="vault:read")
    open_route = {"prefix": "/old/news", "service": "papers", "anonymous": True, "service_prefix": "/"}
    scoped = {"prefix": "/old/papers", "service": "papers", "scopes": ["vault:read"]}
    table = {"services": {"papers": {"url": papers.url}}, "routes": [open_route, scoped]}
    async with serve(table) as client:
        before = (await client.get("/old/news/state")).json()["asked"]
        nobody = await client.get("/v1/gateway/papers/x")
        forged = await client.get("/v1/gateway/papers/x", headers={"Authorization": "Bearer nonsense"})
        fewer = await client.get("/v1/gateway/papers/x", headers=auth(part))
        enough = await client.get("/old/papers/x", headers=auth(part))
        unknown = await client.get("/v1/gateway/nowhere/x", headers=auth(part))
        after = (await client.get("/old/news/state")).json()["asked"]

    assert [each.status_code for each in (nobody, forged, fewer, enough, unknown)] == [401, 401, 403, 200, 404]
    assert all(each.headers["content-type"] == "application/problem+json" for each in (nobody, fewer, unknown))
    assert after - before == 2  # the one that was let through, and this one


@pytest.mark.parametrize("path", ["/../state", "/%2e%2e/state", "/a/..%2f..%2fstate", "/a%5c..%5cb", "/a%00b", "/./x"])
async def test_a_path_never_leaves_the_base_of_the_service(serve: Serve, papers: Process, path: str):
    person = await make_user()
    async with serve({"services": {"papers": {"url": f"{papers.url}/base"}}}) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        head = f"GET /v1/gateway/papers{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        writer.write(f"{head}Authorization: Bearer {person.access_token}\r\n\r\n".encode())
        status = (await reader.readline()).split()[1]
        writer.close()

    assert status == b"400"


async def test_answers_lose_what_is_between_the_two_servers_only(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": f"{papers.url}/base"}}}) as client:
        plain = await client.get("/v1/gateway/papers/headers", headers=auth(person))
        moved = await client.get("/v1/gateway/papers/redirect", headers=auth(person))
        away = await client.get("/v1/gateway/papers/away", headers=auth(person))
        head = await client.head("/v1/gateway/papers/x", headers=auth(person))

    assert plain.headers["etag"] == '"1"'
    assert {"x-secret", "x-powered-by", "access-control-allow-origin"} & plain.headers.keys() == set()
    assert (moved.status_code, moved.headers["location"]) == (302, "/v1/gateway/papers/json?a=1")
    assert "set-cookie" not in moved.headers
    assert "location" not in away.headers
    assert (head.status_code, head.content) == (200, b"")


async def test_events_come_one_by_one_and_a_client_that_leaves_ends_them(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url}}}) as client:
        path, headers = "/v1/gateway/papers", auth(person)
        async with client.stream("GET", f"{path}/events", headers=headers) as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "data: first"  # while the service goes on
            await client.get(f"{path}/release", headers=headers)
            rest = [line async for line in lines if line.startswith("data")]
        before = (await client.get(f"{path}/state", headers=headers)).json()["gone"]
        async with client.stream("GET", f"{path}/events", headers=headers) as answer:
            assert await anext(answer.aiter_lines()) == "data: first"
        for _ in range(200):
            gone = (await client.get(f"{path}/state", headers=headers)).json()["gone"]
            if gone > before:
                break
            await asyncio.sleep(0.05)

    assert rest == ["data: last"]
    assert gone == before + 1


async def test_an_upload_is_passed_on_while_it_comes(serve: Serve, papers: Process):
    person = await make_user()
    part, parts = os.urandom(1024 * 1024), 8
    path, headers = "/v1/gateway/papers", auth(person)
    async with serve({"services": {"papers": {"url": papers.url}}}) as client:
        before = (await client.get(f"{path}/state", headers=headers)).json()["uploaded"]

        async def body():
            for number in range(parts):
                yield part
                while number == 0:  # the first part arrives before the second is sent
                    state = await client.get(f"{path}/state", headers=headers)
                    if state.json()["uploaded"] - before == len(part):
                        break

        answer = await client.post(f"{path}/upload", content=body(), headers=headers)

    assert answer.json()["length"] == parts * len(part)
    assert answer.json()["digest"] == hashlib.sha256(part * parts).hexdigest()


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_of_the_service_is_refused(serve: Serve, papers: Process, declared: bool):
    person = await make_user()

    async def in_parts():
        for _ in range(5):
            yield b"x" * 65_536

    service = {"url": papers.url, "max_body_bytes": 200_000}
    content = b"x" * 200_001 if declared else in_parts()
    async with serve({"services": {"papers": service}}) as client:
        answer = await client.post("/v1/gateway/papers/upload", content=content, headers=auth(person))
        again = await client.get("/v1/gateway/papers/x", headers=auth(person))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert again.status_code == 200


async def test_a_body_that_is_answered_here_is_held_to_our_limits(serve: Serve, papers: Process):
    route = {"prefix": "/old/register", "service": "papers", "local_prefix": "/v1/auth/register", "local_percent": 100}
    async with serve({"services": {"papers": {"url": papers.url}}, "routes": [route]}) as client:
        json = await client.post("/old/register", content=b'{"a": NaN}', headers={"Content-Type": "application/json"})
        large = await client.post("/old/register", content=b"x" * 1_100_000)

    assert (json.status_code, json.json()["code"]) == (400, "invalid-json")
    assert large.status_code == 413


async def test_a_request_that_has_been_here_before_is_stopped(serve: Serve, papers: Process):
    person = await make_user()
    async with serve({"services": {"papers": {"url": papers.url}}}) as client:
        answer = await client.get("/v1/gateway/papers/x", headers={**auth(person), "Via": "1.1 a, 1.1 lifevault"})

    assert (answer.status_code, answer.json()["code"]) == (508, "loop-found")


async def test_without_a_table_nothing_of_the_gateway_is_there(runtime):
    kinds = [each.cls.__name__ for each in application(runtime.settings).user_middleware]

    assert "Gateway" not in kinds
