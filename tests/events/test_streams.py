"""Events as server-sent events: the twin of the WebSocket, by the same cursors."""

import json

import httpx
import pytest

from app.core.config import Settings
from app.db.runtime import Runtime
from tests.conftest import application
from tests.events.conftest import EVENTS, WAIT_SECONDS, events_of, following, parsed
from tests.factories import auth, make_item, make_user
from tests.serving import served
from tests.vault.conftest import Scene, scene

__all__ = ["scene"]
SECRET = "kestrelmarble"
STREAM = {"Accept": "text/event-stream"}


async def test_a_stream_tells_and_goes_on_after_the_last_event(url: str, scene: Scene):
    headers = {**auth(scene.viewer), **STREAM}
    async with httpx.AsyncClient(base_url=url, timeout=WAIT_SECONDS) as client:
        async with client.stream("GET", EVENTS, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            lines = response.aiter_lines()
            item = await make_item(scene.owner, scene.vault, title=SECRET)
            heard = await until(lines, str(item.id))
        missed = await make_item(scene.owner, scene.vault)
        last = {"Last-Event-ID": heard[-1]["id"]}
        async with client.stream("GET", EVENTS, headers={**headers, **last}) as response:
            again = await until(response.aiter_lines(), str(missed.id))

    assert [each["type"] for each in heard] == ["ready", "changes"]
    assert SECRET not in json.dumps(heard)
    assert again[0]["id"] == again[0]["cursor"] == heard[-1]["id"]


async def until(lines, word: str) -> list[dict[str, object]]:
    """Events until one has a word in it."""
    found: list[str] = []
    async for line in lines:
        found.append(line)
        if line.startswith("data: ") and word in line:
            break
    return parsed("\n".join(found))


async def test_a_request_that_does_not_wait_gets_what_there_is(client: httpx.AsyncClient, scene: Scene):
    [ready] = await events_of(client, scene.viewer)
    item = await make_item(scene.owner, scene.vault)
    again, changes = await events_of(client, scene.viewer, since=ready["cursor"])

    assert (ready["type"], again["type"], changes["type"]) == ("ready", "ready", "changes")
    assert str(item.id) in {change["subject_id"] for change in changes["changes"]}


async def test_a_socket_goes_on_from_the_cursor_of_a_stream(client: httpx.AsyncClient, url: str, scene: Scene):
    [ready] = await events_of(client, scene.viewer)
    item = await make_item(scene.owner, scene.vault)

    async with following(url, scene.viewer, since=ready["cursor"]) as listening:
        await listening.told_of(item.id)


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ({"since": "yesterday"}, {}, 400, "invalid-cursor"),
        ({}, {"Last-Event-ID": "yesterday"}, 400, "invalid-cursor"),
        ({"since": "yesterday"}, {"Last-Event-ID": "AAAAAAAAAAAAAAAAAAAAAA"}, 400, "invalid-cursor"),
        ({"vault_ids": "mine"}, {}, 422, "unprocessable"),
        ({}, {"Upgrade": "websocket", "Connection": "Upgrade"}, 501, "sockets-unavailable"),
    ],
)
async def test_a_bad_request_is_refused(client: httpx.AsyncClient, runtime: Runtime, query, headers, status, code):
    response = await client.get(EVENTS, params=query, headers={**auth(await make_user()), **headers})

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_strangers_get_nothing(client: httpx.AsyncClient, scene: Scene):
    narrow = await make_user(scope="profile")
    of_vault = {"vault_ids": str(scene.vault.id)}

    assert (await client.get(EVENTS, params=of_vault, headers=auth(scene.stranger))).status_code == 404
    assert (await client.get(EVENTS, headers=auth(narrow))).status_code == 403
    assert (await client.get(EVENTS)).status_code == 401
    assert [each["type"] for each in await events_of(client, scene.stranger)] == ["ready"]


async def test_a_function_tells_what_there_is_and_ends(runtime: Runtime, settings: Settings, scene: Scene):
    """Mangum's mark of an event of Lambda is all that differs: a stream that waits would never be answered."""
    app = application(settings)

    async def as_function(scope, receive, send) -> None:
        await app({**scope, "aws.event": {}}, receive, send)

    transport = httpx.ASGITransport(as_function)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        [ready] = await events_of(client, scene.viewer, headers=STREAM)

    assert ready["type"] == "ready"


async def test_one_who_has_gone_is_forgotten(runtime: Runtime, scene: Scene):
    async with served(application(runtime.settings)) as url, httpx.AsyncClient(base_url=url) as client:
        for _ in range(runtime.settings.event_streams_per_user + 5):
            headers = {**auth(scene.viewer), **STREAM}
            async with client.stream("GET", EVENTS, headers=headers, timeout=WAIT_SECONDS) as response:
                assert response.status_code in (200, 429)
                await anext(response.aiter_lines())
        async with client.stream("GET", EVENTS, headers={**auth(scene.member), **STREAM}) as response:
            assert response.status_code == 200
