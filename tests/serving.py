"""Servers in the process of a test, and beside it."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from app.core.config import Settings

START_SECONDS = 90
NEEDED = (
    *("database_url", "redis_url", "root_keys", "token_keys", "lookup_key", "blob_url"),
    *("rate_limit_per_minute", "anonymous_rate_limit_per_minute"),
)


@asynccontextmanager
async def served(application: FastAPI) -> AsyncIterator[str]:
    """The base URL of an application that uvicorn serves in this event loop."""
    config = uvicorn.Config(application, port=0, log_level="critical", lifespan="off")
    config.load()
    server, sockets = uvicorn.Server(config), [config.bind_socket()]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    while not server.started:
        await asyncio.sleep(0.01)
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


def start_api(settings: Settings, port: int, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """The API as a process of its own, by the same settings but for what is given besides; it is not ready yet."""
    values = {name: getattr(settings, name) for name in NEEDED}
    given = {
        f"LIFEVAULT_{name.upper()}": each.get_secret_value() if isinstance(each, SecretStr) else str(each)
        for name, each in values.items()
    }
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--log-level", "warning", "--port", str(port)]
    command += ["--http", "app.api.serving:DrainingProtocol", *arguments]
    return subprocess.Popen(command, env={**os.environ, "LIFEVAULT_ENVIRONMENT": "test", **given, **environment})


def live(port: int) -> bool:
    """Whether an API answers there."""
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=30).status_code == 200
    return False


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until it is so."""
    until = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
