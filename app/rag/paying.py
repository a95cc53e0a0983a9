"""What an answer costs the asker's family: set aside before, paid after, given back if it came to nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.config import Settings
from app.db.session import Actor, session_scope
from app.payments.errors import HoldNotFound
from app.payments.services import credits
from app.payments.services.prices import PRESENT
from app.rag.schemas import AnswerRead, Usage


@dataclass(frozen=True, slots=True)
class Bill:
    """Credits that are set aside for one answer."""

    hold: credits.Hold

    async def pay(self, usage: Usage | None) -> None:
        """Pay for the answer; None is one that the asker did not wait for."""
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        async with session_scope(Actor.family(self.hold.family_id)) as session:
            await credits.settle(session, self.hold.id, PRESENT.of_answer(*tokens))

    async def void(self) -> None:
        """Give back what was set aside; there is nothing to give back if the request was refused before it counted."""
        with suppress(HoldNotFound):
            async with session_scope(Actor.family(self.hold.family_id)) as session:
                await credits.release(session, self.hold.id)

    @asynccontextmanager
    async def void_on_failure(self) -> AsyncIterator[None]:
        """Nobody pays for an answer that failed."""
        try:
            yield
        except BaseException:
            await self.void()
            raise

    @asynccontextmanager
    async def paid_at_the_end(self) -> AsyncIterator[list[str | AnswerRead]]:
        """Pay for what was sent (it is put into the list), whole or left by the asker; a failure costs nothing.

        It is paid even while the request is being cancelled; what can't be is given back when its time is over.
        """
        sent: list[str | AnswerRead] = []
        try:
            yield sent
        except Exception:
            await self.void()
            raise
        except BaseException:
            await asyncio.shield(self._paid_for(sent))
            raise
        await self._paid_for(sent)

    async def _paid_for(self, sent: Sequence[str | AnswerRead]) -> None:
        if not sent:
            await self.void()
        else:
            await self.pay(sent[-1].usage if isinstance(sent[-1], AnswerRead) else None)


async def open_bill(session: AsyncSession, principal: Principal, settings: Settings) -> Bill:
    """Set aside what an answer usually costs, in the transaction of the request. Raises `PlanLimitReached`."""
    amount = PRESENT.held_for_answer(by_model=bool(settings.model_url))
    key = f"ask:{PRESENT.version}:{new_id()}"
    seconds = settings.credit_hold_seconds
    return Bill(await credits.hold_of(session, principal.user_id, key=key, amount=amount, seconds=seconds))
