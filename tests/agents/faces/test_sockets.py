"""Runs watched through a WebSocket, by a client of its own, against a live server."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.core.config import Settings
from tests.agents.core.model import Model, Says
from tests.agents.core.people import RUNS, START, Home
from tests.agents.faces.clients import QUESTION, key_of
from tests.conftest import drain_jobs
from tests.factories import auth, make_user

pytestmark = pytest.mark.slow

WHOLE = ["started", "step", "tool_call", "tool_result", "step", "text", "done"]


def socket(url: str, run_id: str, headers: dict[str, str] | None = None, **query: int) -> Any:
    place = f"{url.replace('http', 'ws', 1)}{RUNS}/{run_id}/socket"
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return connect(f"{place}?{asked}", additional_headers=headers or {})


async def messages(connection: ClientConnection) -> list[dict[str, Any]]:
    """All until the other end closes."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while True:
            try:
                found.append(orjson.loads(await connection.recv()))
            except ConnectionClosed:
                return found


async def start(client: httpx.AsyncClient, home: Home) -> str:
    body = {"message": QUESTION, "background": True}
    run_id: str = (await client.post(START, json=body, headers=home.headers)).json()["id"]
    return run_id


async def test_a_run_is_watched_while_it_happens_and_again_after_the_last_event_that_was_seen(
    client: httpx.AsyncClient, settings: Settings, url: str, home: Home
):
    run_id = await start(client, home)

    async with socket(url, run_id, home.headers) as watching:
        await drain_jobs(settings)
        live = await messages(watching)
    async with socket(url, run_id, home.headers, last_event_id=5) as again:
        late = await messages(again)
    sent = await client.get(f"{RUNS}/{run_id}/events", headers=home.headers)

    assert [each["event"] for each in live] == WHOLE
    assert [each["id"] for each in live] == [1, 2, 3, 4, 5, 6, 7]
    assert late == live[5:]
    assert (watching.close_code, again.close_code) == (1000, 1000)
    data = [line.removeprefix("data: ") for line in sent.text.splitlines() if line.startswith("data: ")]
    assert [orjson.loads(each) for each in data] == [each["data"] for each in live]


async def test_a_run_is_cancelled_through_the_socket(
    client: httpx.AsyncClient, settings: Settings, url: str, home: Home, model: Model
):
    model.says(Says("Too late.", delay=20))
    body = {"message": "Take your time", "background": True}
    run_id = (await client.post(START, json=body, headers=home.headers)).json()["id"]
    working = asyncio.create_task(drain_jobs(settings))

    async with socket(url, run_id) as watching:
        await watching.send(orjson.dumps({"token": home.owner.access_token}).decode())
        first = orjson.loads(await watching.recv())
        await watching.send('{"cancel": true}')
        rest = await messages(watching)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert first["event"] == "started"
    assert rest[-1] == {"id": rest[-1]["id"], "event": "done", "data": {"state": "cancelled", "reason": "cancelled"}}
    run = (await client.get(f"{RUNS}/{run_id}", headers=home.headers)).json()
    assert (run["state"], run["output"]) == ("cancelled", None)


@pytest.mark.parametrize("who", ["stranger", "nobody", "wrong scope", "nothing", "no JSON"])
async def test_who_has_no_right_is_told_by_the_code_that_closes(
    client: httpx.AsyncClient, url: str, home: Home, who: str
):
    run_id = await start(client, home)
    headers, first = {}, ""
    match who:
        case "stranger":
            headers, code = auth(await make_user()), 4404
        case "nobody":
            first, code = '{"token": "lv_wrong"}', 4401
        case "wrong scope":
            headers, code = {"Authorization": f"Bearer {await key_of(client, home, 'vault:read')}"}, 4403
        case "nothing":
            headers, run_id, code = home.headers, str(uuid4()), 4404
        case _:
            first, code = "hello", 4400

    async with socket(url, run_id, headers) as watching:
        if first:
            await watching.send(first)
        assert await messages(watching) == []

    assert watching.close_code == code
