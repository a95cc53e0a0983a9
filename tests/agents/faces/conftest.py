"""A live server for official clients, and a person with a policy that has been read."""

from collections.abc import AsyncIterator

import pytest

from app.core.config import Settings
from app.db.runtime import Runtime
from app.main import create_app
from tests.agents.core.conftest import model
from tests.agents.core.people import Home, make_home
from tests.serving import served

__all__ = ["model"]


@pytest.fixture(scope="session")
async def url(runtime: Runtime) -> AsyncIterator[str]:
    """The base URL of the application, served by uvicorn in this event loop."""
    async with served(create_app(runtime.settings)) as url:
        yield url


@pytest.fixture
async def home(settings: Settings, url: str) -> Home:
    return await make_home(settings)
