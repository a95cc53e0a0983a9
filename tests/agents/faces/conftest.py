"""A live server for official clients, and a person with a policy that has been read."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn

from app.core.config import Settings
from app.db.runtime import Runtime
from app.main import create_app
from tests.agents.core.conftest import model
from tests.agents.core.people import Home, make_home

__all__ = ["model"]


@pytest.fixture(scope="session")
async def url(runtime: Runtime) -> AsyncIterator[str]:
    """The base URL of the application, served by uvicorn in this event loop."""
    config = uvicorn.Config(create_app(runtime.settings), port=0, log_level="critical", lifespan="off")
    config.load()
    server, sockets = uvicorn.Server(config), [config.bind_socket()]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def home(settings: Settings, url: str) -> Home:
    return await make_home(settings)
