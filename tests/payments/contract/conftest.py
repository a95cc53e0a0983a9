"""Both providers, each against the running simulator over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.payments.providers.caller import Answer, Method, Params, Transport
from app.payments.providers.port import Provider
from tests.payments.contract.opening import NAMES, open_provider
from tests.payments.contract.sdk_types import check_call
from tests.payments.contract.shop import Shop


class Checked:
    """A transport that lets nothing through that Stripe's types do not know."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, method: Method, path: str, params: Params, key: str | None) -> Answer:
        if not path.startswith("/_sim/"):
            check_call(method, path, dict(params))
        return await self._transport.send(method, path, params, key)

    async def close(self) -> None:
        await self._transport.close()


@pytest.fixture
async def control(simulator: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The simulator's side door."""
    headers = {"Authorization": f"Bearer {simulator.key}"}
    async with httpx.AsyncClient(base_url=simulator.url, headers=headers, timeout=60, verify=False) as client:
        yield client


def opened(name: str, simulator: Any) -> Provider:
    provider = open_provider(name, simulator.url, simulator.key, simulator.webhook_secret)
    provider._transport = Checked(provider._transport)
    return provider


@pytest.fixture(params=NAMES)
async def provider(request: pytest.FixtureRequest, simulator: Any) -> AsyncIterator[Provider]:
    provider = opened(request.param, simulator)
    yield provider
    await provider.close()


@pytest.fixture
async def shop(provider: Provider, control: httpx.AsyncClient) -> Shop:
    return Shop(provider, control)
