"""Three older services as processes, and this application in front of them, reached over real sockets."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.datastructures import State

from app.core.config import Settings
from app.core.routing import RoutingTable
from app.db.runtime import Runtime
from app.main import add_middleware
from tests.conftest import application, random_key
from tests.exports.node import NODE, npm_install
from tests.stack import free_port

HERE = Path(__file__).parent
START_SECONDS = 30
QUICK = {"connect_seconds": 5, "silence_seconds": 20, "pause_seconds": 0.2}


@dataclass
class Process:
    """A service that can be killed and started again at its place."""

    command: list[str]
    port: int
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen([*self.command, str(self.port)], cwd=self.folder)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def started(process: Process) -> Iterator[Process]:
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="session")
def papers() -> Iterator[Process]:
    """The old app API."""
    yield from started(Process([sys.executable, str(HERE / "service.py"), "papers"], free_port()))


@pytest.fixture(scope="session")
def billing() -> Iterator[Process]:
    """The old payment service; tests kill it."""
    yield from started(Process([sys.executable, str(HERE / "service.py"), "billing"], free_port()))


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The old service in Node."""
    if NODE is None:
        pytest.skip("Node is not installed")
    folder = npm_install(tmp_path_factory.mktemp("talk"), "ws@8")
    shutil.copy(HERE / "service.mjs", folder)
    yield from started(Process([NODE, "service.mjs"], free_port(), folder))


Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
KEY = random_key()


def with_table(settings: Settings, table: dict[str, Any], **changes: Any) -> Settings:
    """Settings with this table; services get short pauses, and a key each."""
    services = {name: {**QUICK, **service} for name, service in table["services"].items()}
    keys = ",".join(f"{name}:{KEY}" for name in services)
    parsed = RoutingTable.model_validate({**table, "services": services})
    changes = {"gateway_table": parsed, "gateway_keys": SecretStr(keys), **changes}
    return settings.model_copy(update=changes)


def behind_gateway(app: FastAPI, settings: Settings) -> FastAPI:
    """The same routes, as making them takes half a second, with other settings around them."""
    other = copy(app)
    other.state, other.user_middleware, other.middleware_stack = State({"settings": settings}), [], None
    add_middleware(other, settings)
    return other


@pytest.fixture
def serve(runtime: Runtime) -> Serve:
    """Serves the application with a table, over real sockets, in this process."""

    @asynccontextmanager
    async def serve(table: dict[str, Any], **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = behind_gateway(application(runtime.settings), with_table(runtime.settings, table, **changes))
        known = len(runtime.closers)
        config = uvicorn.Config(
            app,
            port=free_port(),
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=60,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{config.port}", timeout=30) as client:
            yield client
        server.should_exit = True
        await serving
        for close in runtime.closers[known:]:
            await close()
        del runtime.closers[known:]

    return serve
