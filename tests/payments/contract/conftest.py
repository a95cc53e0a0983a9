"""Both providers, each against the running simulator over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.payments.providers.port import Provider
from tests.payments.contract.opening import NAMES, open_provider
from tests.payments.contract.shop import Shop


@pytest.fixture
async def control(simulator: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The simulator's side door."""
    headers = {"Authorization": f"Bearer {simulator.key}"}
    async with httpx.AsyncClient(base_url=simulator.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(params=NAMES)
async def provider(request: pytest.FixtureRequest, simulator: Any) -> AsyncIterator[Provider]:
    provider = open_provider(request.param, simulator.url, simulator.key, simulator.webhook_secret)
    yield provider
    await provider.close()


@pytest.fixture
async def shop(provider: Provider, control: httpx.AsyncClient) -> Shop:
    return Shop(provider, control)
