"""Everybody concerned is told when a nominee enters what was released."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.nominees.models import cases, nominees
from app.nominees.policy import OPEN_NOW, plans_for
from app.nominees.service.clock import legacy_now
from app.nominees.service.letters import Person, accepted, find_people, receivers, to_owner, to_people


async def announce_entry(session: AsyncSession, nominee_id: UUID) -> None:
    """Tell the owner and the other nominees of a sign-in, if something is released to the nominee."""
    of_nominee = cases.c.plan_id.in_(plans_for(nominee_id)), OPEN_NOW
    plan_ids = (await session.scalars(select(cases.c.plan_id).where(*of_nominee))).all()
    if not plan_ids:
        return
    [visitor] = await find_people(session, nominees.c.id == nominee_id)
    others: dict[UUID, Person] = {}
    for plan_id in plan_ids:
        others |= {person.id: person for person in accepted(await receivers(session, plan_id))}
    others.pop(nominee_id, None)
    time = f"{await legacy_now(session):%Y-%m-%d %H:%M}"
    await to_owner(session, visitor.user_id, "legacy_entered_owner", nominee=visitor.name, time=time)
    await to_people(session, list(others.values()), "legacy_entered", nominee=visitor.name, time=time)
