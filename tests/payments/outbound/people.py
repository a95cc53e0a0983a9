"""Payers, members and operators for tests of what goes out to the provider."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import insert, select

from app.core.clock import new_id, utc_now
from app.db.runtime import current
from app.db.session import session_scope
from app.payments.models import Coupon, Seat
from app.payments.services.families import sealed_person
from tests.factories import TestUser, auth, make_user
from tests.notifications.smtp import changed_settings
from tests.payments.books.conftest import make_family

OPERATOR = "operator@lifevault.test"


def keyed(user: TestUser, key: str | None = None) -> dict[str, str]:
    """The headers of a request that must have its effect once."""
    return auth(user) | {"Idempotency-Key": key or str(uuid4())}


async def make_payer() -> tuple[UUID, TestUser]:
    """A family of one, and who pays for it."""
    return await make_family()


async def make_seat(family_id: UUID, payer: TestUser) -> TestUser:
    """Somebody who sits in a family that another person pays for."""
    person, seat_id = await make_user(name="Grace Hopper"), new_id()
    async with session_scope() as session:
        ring = await current().keys.ring(session, payer.id)
        profile = type("Person", (), {"name": person.name, "email": person.email})()
        body = sealed_person(ring, seat_id, profile)
        ids = {"id": seat_id, "family_id": family_id, "owner_id": payer.id, "user_id": person.id}
        await session.execute(insert(Seat).values(**ids, state="claimed", body=body, claimed_at=utc_now()))
    return person


async def make_coupon(**values: Any) -> Coupon:
    """A coupon of 25 percent, unless said otherwise."""
    value = {} if "amount_cents" in values else {"percent": 25}
    row = {"id": new_id(), "code": f"TEST{uuid4().hex[:12].upper()}"} | value | values
    async with session_scope() as session:
        await session.execute(insert(Coupon).values(**row))
        return (await session.scalars(select(Coupon).where(Coupon.id == row["id"]))).one()


@contextmanager
def operating(*people: TestUser) -> Iterator[None]:
    """Settings in which these people run the installation."""
    with changed_settings(operators=tuple(person.email for person in people)):
        yield


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["code"]
