"""E-mails about legacy: to owners, and to the people they named. Each waits sealed under the owner's key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.nominees.cells import open_rows
from app.nominees.models import nominees, plans
from app.nominees.policy import named_in
from app.notifications.service import queue_mail


@dataclass(frozen=True, slots=True)
class Person:
    """A nominee, opened."""

    id: UUID
    user_id: UUID
    name: str
    email: str
    phone: str | None
    relation: str
    state: str
    verified_at: datetime | None


def day(at: datetime | None) -> str:
    """A day as letters say it (UTC)."""
    return f"{at.day} {at:%B %Y}" if at else "soon"


async def find_people(session: AsyncSession, *conditions: ColumnElement[bool]) -> list[Person]:
    """The nominees of one owner that meet the conditions, the first named first."""
    rows = (await session.execute(select(nominees).where(*conditions).order_by(nominees.c.id))).mappings().all()
    contents = await open_rows(session, nominees, rows)
    return [_person(row, content) for row, content in zip(rows, contents, strict=True)]


def _person(row: Any, content: Any) -> Person:
    return Person(
        id=row["id"],
        user_id=row["user_id"],
        name=content["name"],
        email=content["email"],
        phone=content["phone"],
        relation=content["relation"],
        state=row["state"],
        verified_at=row["verified_at"],
    )


async def receivers(session: AsyncSession, plan_id: UUID) -> list[Person]:
    """The nominees who get something by a plan."""
    return await find_people(session, nominees.c.id.in_(named_in(plan_id)))


async def trusted_person(session: AsyncSession, plan_id: UUID) -> Person | None:
    """Who has to confirm a plan's release, if anybody has."""
    found = await find_people(session, nominees.c.id.in_(select(plans.c.confirmer_id).where(plans.c.id == plan_id)))
    return found[0] if found else None


async def owner_name(session: AsyncSession, user_id: UUID) -> str:
    """What an owner is called."""
    return (await auth.profile(session, user_id)).name


async def to_owner(session: AsyncSession, user_id: UUID, template: str, **context: str) -> None:
    """Queue a letter to an owner; `name` is filled in."""
    owner = await auth.profile(session, user_id)
    await queue_mail(session, owner_id=user_id, to=owner.email, template=template, name=owner.name, **context)


async def to_person(session: AsyncSession, person: Person, template: str, **context: str) -> None:
    """Queue a letter to a nominee; `name` and `owner` are filled in."""
    owner = await owner_name(session, person.user_id)
    names = {"name": person.name, "owner": owner}
    await queue_mail(session, owner_id=person.user_id, to=person.email, template=template, **names, **context)


async def to_people(session: AsyncSession, people: Sequence[Person], template: str, **context: str) -> None:
    """Queue the same letter to several nominees."""
    for person in people:
        await to_person(session, person, template, **context)


def accepted(people: Iterable[Person]) -> list[Person]:
    """Those who have accepted."""
    return [person for person in people if person.state == "accepted"]
