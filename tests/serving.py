"""Servers in the process of a test."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import uvicorn
from fastapi import FastAPI


@asynccontextmanager
async def served(application: FastAPI) -> AsyncIterator[str]:
    """The base URL of an application that uvicorn serves in this event loop."""
    config = uvicorn.Config(application, port=0, log_level="critical", lifespan="off")
    config.load()
    server, sockets = uvicorn.Server(config), [config.bind_socket()]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The base URL of a server in threads, each request of which is one handler's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
