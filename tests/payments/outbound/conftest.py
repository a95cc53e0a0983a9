"""Payments switched on against the simulator, and people who buy."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.payments.models import Payment, ProviderOperation
from app.payments.providers.port import Provider
from app.payments.providers.registry import needed_provider
from app.payments.services import inbox
from app.payments.services.sync import sync_clock
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_user
from tests.notifications.smtp import changed_settings
from tests.payments.outbound.people import keyed, make_payer
from tests.payments.simulator import Simulator

PAYMENTS = "/v1/payments"
Json = dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """The application with its provider, and the simulator's other side."""

    client: httpx.AsyncClient
    simulator: Simulator
    settings: Settings
    operator: TestUser

    @property
    def provider(self) -> Provider:
        return needed_provider()

    @property
    def url(self) -> str:
        return self.simulator.url

    async def control(self, path: str, body: Json | None = None, method: str = "POST") -> Json:
        """Tell the simulator what only a simulator can do."""
        return await self.simulator.control(f"/{path}", body or {}, method=method)

    async def post(
        self, person: TestUser, path: str, body: Json | None = None, key: str | None = None
    ) -> httpx.Response:
        return await self.client.post(PAYMENTS + path, json=body or {}, headers=keyed(person, key))

    async def get(self, person: TestUser, path: str) -> httpx.Response:
        return await self.client.get(PAYMENTS + path, headers=auth(person))

    async def complete(self, checkout: Json, card: str | None = "pm_card_visa") -> Json:
        """Pay a checkout on the provider's side, as its page does; nobody tells us."""
        session_id = await provider_id_of(checkout["id"])
        return await self.control(f"checkout/{session_id}/complete", {"payment_method": card})

    async def buy(self, person: TestUser, card: str = "pm_card_visa", **wanted: Any) -> Json:
        """Pay for a plan, and see that it has arrived; the trial, if there is one, goes on."""
        body = {"plan": "plus", "interval": "month"} | wanted if "price_id" not in wanted else wanted
        made = await self.post(person, "/checkout", body)
        assert made.status_code == 201, made.text
        await self.complete(made.json(), card)
        seen: Json = (await self.get(person, f"/checkout/{made.json()['id']}")).json()
        assert seen["state"] == "complete"
        return seen

    async def catch_up(self, since: timedelta = timedelta(days=1)) -> None:
        """Take every event of the provider in, as webhooks would have brought them, and do what follows."""
        async for hint in self.provider.list_events(await self.provider.now() - since):
            async with session_scope() as session:
                await inbox.keep(session, self.provider.name, hint)
        await drain_jobs(self.settings)

    async def subscription(self, person: TestUser) -> Json:
        found: Json = (await self.get(person, "/subscription")).json()["subscription"]
        return found

    async def faults(self, **values: Any) -> None:
        await self.control("faults", values)

    async def calm(self) -> None:
        await self.control("faults", method="DELETE")


@pytest.fixture
async def shop(
    runtime: Runtime, client: httpx.AsyncClient, simulator: Simulator, settings: Settings
) -> AsyncIterator[Shop]:
    """Payments switched on; the provider's books are empty and its clock is right."""
    operator = await make_user(name="Operator")
    secrets = {"sim_key": SecretStr(simulator.key), "payment_webhook_secrets": SecretStr(simulator.webhook_secret)}
    values = {"payment_provider": "sim", "sim_url": simulator.url, **secrets}
    async with session_scope() as session:
        await session.execute(text("DELETE FROM payments_provider_prices"))  # of books that are gone
    with changed_settings(**values, operators=(operator.email,), payment_retries=0):
        shop = Shop(client, simulator, settings, operator)
        await sync_clock(shop.provider, "")
        yield shop
        simulator.reset()
        await sync_clock(shop.provider, "")


@pytest.fixture
async def payer(runtime: Runtime) -> TestUser:
    return (await make_payer())[1]


async def advance(shop: Shop, **span: int) -> datetime:
    """Let time pass at the provider, and see what it brought."""
    await shop.control("clock", {"advance_seconds": int(timedelta(**span).total_seconds())})
    await sync_clock(shop.provider, "")
    await shop.catch_up(timedelta(days=400))
    return await shop.provider.now()


async def provider_id_of(checkout_id: str) -> str:
    async with session_scope() as session:
        found = text("SELECT provider_id FROM payments_checkouts WHERE id = :id")
        return str(await session.scalar(found, {"id": UUID(checkout_id)}))


async def operations_of(person: TestUser, kind: str) -> list[ProviderOperation]:
    """What the provider was asked for by somebody's family, oldest first."""
    async with session_scope() as session:
        mine = text("SELECT id FROM payments_families WHERE owner_id = :id")
        family_id = await session.scalar(mine, {"id": person.id})
        rows = select(ProviderOperation).where(ProviderOperation.family_id == family_id)
        return list(await session.scalars(rows.where(ProviderOperation.kind == kind).order_by(ProviderOperation.id)))


async def end_leases() -> None:
    """Time passes for commands that wait."""
    async with session_scope() as session:
        due = update(ProviderOperation).where(ProviderOperation.lease_until > func.now())
        await session.execute(due.values(lease_until=func.now() - timedelta(seconds=1)))


async def payments_of(person: TestUser) -> list[Payment]:
    """What somebody's family has paid, oldest first."""
    async with session_scope() as session:
        mine = text("SELECT id FROM payments_families WHERE owner_id = :id")
        family_id = await session.scalar(mine, {"id": person.id})
        rows = select(Payment).where(Payment.family_id == family_id).order_by(Payment.id)
        return list(await session.scalars(rows))
