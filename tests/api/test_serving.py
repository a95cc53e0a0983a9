"""How connections are served."""

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from uvicorn import Config
from uvicorn.server import ServerState

from app.api.serving import DrainingProtocol

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["as it is", "handed over by its number"])
async def test_no_answer_waits_until_its_beginning_is_acknowledged(family):
    loop, made = asyncio.get_running_loop(), asyncio.Event()

    class Noticed(DrainingProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            made.set()

    protocol = Noticed(Config(Starlette(), log_config=None), ServerState(), {})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        handed = socket.fromfd(listener.fileno(), family, socket.SOCK_STREAM)  # as uvicorn does with `--fd`
        async with await loop.create_server(lambda: protocol, sock=handed):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            await asyncio.wait_for(made.wait(), 10)
            connection = protocol.transport.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            await writer.wait_closed()


async def test_a_socket_without_the_choice_is_served_all_the_same():
    ours, theirs = socket.socketpair()
    protocol = DrainingProtocol(Config(Starlette(), log_config=None), ServerState(), {})
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, ours)
    assert protocol.transport is transport
    theirs.close()
    transport.close()
    await asyncio.sleep(0)
