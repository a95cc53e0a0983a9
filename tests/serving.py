"""Servers in the process of a test, and the API in one of its own."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from app.api.serving import PromptProtocol
from app.core.config import Settings

START_SECONDS = 90
SHUTDOWN_SECONDS = 1  # what still answers then is not waited for
POLL_SECONDS = 0.02  # between two looks of a server in threads whether it is to end


@asynccontextmanager
async def served(application: FastAPI) -> AsyncIterator[str]:
    """The base URL of an application that uvicorn serves in this event loop."""
    config = uvicorn.Config(
        application,
        port=0,
        log_level="critical",
        lifespan="off",
        http=PromptProtocol,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    config.load()
    server, sockets = uvicorn.Server(config), [config.bind_socket()]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    while not server.started:  # noqa: ASYNC110  uvicorn tells nobody
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


def in_thread(server: BaseServer) -> threading.Thread:
    """Serve in a thread that soon notices when the server is to end."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    return thread


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The base URL of a server in threads, each request of which is one handler's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    in_thread(server)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def environment_of(settings: Settings, **changed: str) -> dict[str, str]:
    """The variables that give a process of its own the same database, Redis, blobs and keys; `changed` by field."""
    names = ("database_url", "migration_database_url", "redis_url", "root_keys", "token_keys", "lookup_key", "blob_url")
    others = ("rate_limit_per_minute", "anonymous_rate_limit_per_minute", "access_token_seconds")
    values = {name: getattr(settings, name) for name in names + others} | changed | {"environment": "test"}
    return {
        f"LIFEVAULT_{name.upper()}": each.get_secret_value() if isinstance(each, SecretStr) else str(each)
        for name, each in values.items()
    }


def lives(port: int) -> bool:
    """Whether an API answers at this port."""
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=30).status_code == 200
    return False


@contextmanager
def api_process(
    environment: dict[str, str], port: int, *options: str, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The API as a process of its own, from the sources in a folder; killed at the end if it still runs."""
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port), "--log-level", "warning", *options]
    place = {"PYTHONPATH": str(folder)} if folder else {}
    process = subprocess.Popen(command, env={**os.environ, **environment, **place}, cwd=folder)
    try:
        until = time.monotonic() + START_SECONDS
        while not lives(port):
            assert process.poll() is None, "it ended"
            assert time.monotonic() < until, "it does not live"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()
