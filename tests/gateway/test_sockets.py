"""WebSockets passed on to an older service in Node, and plain requests to it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.factories import auth, make_user
from tests.gateway.conftest import Process, Serve

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def socket_of(client: httpx.AsyncClient, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    url = str(client.base_url.copy_with(scheme="ws")).rstrip("/") + path
    async with connect(url, proxy=None, **options) as socket:
        yield socket


async def test_node_answers_plain_requests(serve: Serve, talk: Process):
    person = await make_user()
    async with serve({"services": {"talk": {"url": talk.url}}}) as client:
        answer = await client.post("/v1/gateway/talk/a?b=1", content=b"x" * 100_000, headers=auth(person))

    assert answer.json() == {"service": "node", "method": "POST", "url": "/a?b=1", "length": 100_000}


async def test_messages_go_both_ways_with_protocol_and_codes(serve: Serve, talk: Process):
    person = await make_user()
    async with serve({"services": {"talk": {"url": f"{talk.url}/base"}}}) as client:
        options = {"additional_headers": {**auth(person), "Cookie": "a=1"}, "subprotocols": ["chat.v1", "chat.v2"]}
        async with socket_of(client, "/v1/gateway/talk/room?x=1", **options) as socket:
            hello = json.loads(await socket.recv())
            await socket.send("héllo")
            await socket.send(b"\x00\xff" * 50_000)
            heard = [await socket.recv(), await socket.recv()]
            await socket.send("leave")
            with pytest.raises(ConnectionClosed):
                await socket.recv()

    assert hello["url"] == "/base/room?x=1"
    assert {"authorization", "cookie"} & hello["headers"].keys() == set()
    assert hello["headers"]["x-lifevault-identity"].count(".") == 2
    assert heard == ["héllo!", b"\x00\xff" * 100_000]
    assert (socket.subprotocol, socket.close_code, socket.close_reason) == ("chat.v2", 4321, "as you wish")


async def test_who_can_send_no_header_sends_the_token_first(serve: Serve, talk: Process):
    person = await make_user()
    async with serve({"services": {"talk": {"url": talk.url}}}) as client:
        async with socket_of(client, "/v1/gateway/talk/room") as socket:
            await socket.send(json.dumps({"token": person.access_token}))
            assert json.loads(await socket.recv())["url"] == "/room"
        codes = []
        for first in ('{"token": "nonsense"}', "nonsense"):
            async with socket_of(client, "/v1/gateway/talk/room") as socket:
                await socket.send(first)
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                codes.append(socket.close_code)

    assert codes == [4401, 4401]


async def test_a_refusal_and_a_dead_service_are_told_by_codes_and_it_comes_back(serve: Serve, talk: Process):
    person = await make_user()
    options = {"additional_headers": auth(person)}

    async def code_of(client: httpx.AsyncClient, path: str) -> int | None:
        async with socket_of(client, f"/v1/gateway/talk{path}", **options) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return socket.close_code

    async with serve({"services": {"talk": {"url": talk.url}}}) as client:
        refused = await code_of(client, "/closed")
        async with socket_of(client, "/v1/gateway/talk/room", **options) as socket:
            await socket.recv()
            talk.kill()
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        dead = await code_of(client, "/room")
        talk.start()
        async with socket_of(client, "/v1/gateway/talk/room", **options) as again:
            hello = json.loads(await again.recv())

    assert refused == 4403
    assert socket.close_code == 1014
    assert dead == 4502
    assert hello["url"] == "/room"
