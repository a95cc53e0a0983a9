"""What requests to models cost: set aside before, paid in the transaction that writes the answer down, so once."""

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import ModelCall, Run
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import Actor
from app.payments.services import credits
from app.payments.services.credits import Hold
from app.payments.services.prices import PRESENT

MOST_TOKENS: Final = 10_000_000
"""What a provider may claim of one request."""


async def hold(session: AsyncSession, principal: Principal, run_id: UUID, step: int, *, external: bool) -> Hold:
    """Set credits aside for a step; the same step has the same hold, however often it is tried.

    Raises `PlanLimitReached`.
    """
    key = f"agent:{PRESENT.version}:{run_id}:{step}"
    amount = PRESENT.held_for_answer(by_model=external) if external or step == 1 else 0
    seconds = current().settings.credit_hold_seconds
    return await credits.hold_of(session, principal.user_id, key=key, amount=amount, seconds=seconds)


async def settle(session: AsyncSession, run: Run, step: int, held: Hold, model: str, tokens: tuple[int, int]) -> int:
    """Pay for a step and write it down, in the transaction of its answer; returns the credits."""
    prompt, completion = (min(max(each, 0), MOST_TOKENS) for each in tokens)
    cost = PRESENT.of_answer(prompt, completion) - (PRESENT.answer if step > 1 else 0)
    async with acting_for(session, Actor.family(held.family_id)):
        await credits.settle(session, held.id, cost)
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "credits": cost}
    ids = {"id": new_id(), "user_id": run.user_id, "run_id": run.id}
    session.add(ModelCall(**ids, step=step, model=model, **counts))
    await session.flush()
    return cost


async def release(session: AsyncSession, held: Hold) -> None:
    """Give back what was set aside for a step that came to nothing."""
    async with acting_for(session, Actor.family(held.family_id)):
        await credits.release(session, held.id)


async def list_page(session: AsyncSession, principal: Principal, *, limit: int, before: UUID | None) -> list[ModelCall]:
    """A person's requests to models, newest first."""
    statement = select(ModelCall).where(ModelCall.user_id == principal.user_id).order_by(ModelCall.id.desc())
    if before:
        statement = statement.where(ModelCall.id < before)
    return list(await session.scalars(statement.limit(limit)))
