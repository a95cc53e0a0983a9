"""The simulator's clock: it follows the real one, can be moved ahead, and does what falls due on the way."""

import asyncio
import logging
from typing import Final

from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Invalid
from app.payments.sim.core.store import Store
from app.payments.sim.deliveries import Deliveries
from app.payments.sim.engine import agenda, paying_out  # noqa: F401  importing it registers what falls due
from app.payments.sim.resources.events import tell_time

LONGEST_DAYS: Final = 3_660
TICK_SECONDS: Final = 1.0
STEPS_AT_ONCE: Final = 20
log = logging.getLogger(__name__)


class Clock:
    """Moves the time of a store; only ever ahead."""

    def __init__(self, store: Store, deliveries: Deliveries) -> None:
        self._store = store
        self._deliveries = deliveries
        self._moving = asyncio.Lock()

    @property
    def now(self) -> int:
        """The simulated time."""
        return self._store.now()

    async def advance(self, to: int) -> None:
        """Go to a time, doing everything on the way in its order, and tell where the clock stands. Raises `Invalid`."""
        if to < self.now:
            raise Invalid("The clock can't be moved back.", param="frozen_time")
        if to > self.now + LONGEST_DAYS * DAY:
            raise Invalid(f"The clock is moved {LONGEST_DAYS} days at most.", param="frozen_time")
        async with self._moving:
            await self._work(to)
            self._store.set_note("offset", self._store.offset + max(0, to - self.now))
            with self._store.transaction() as books:
                tell_time(books)
        self._deliveries.wake()

    def catch_up(self, limit: int = STEPS_AT_ONCE) -> None:
        """Do what is due by now, up to a number of steps; nothing while the clock is being moved."""
        if not self._moving.locked():
            until = self.now
            try:
                while limit and agenda.do_next(self._store, until):
                    limit -= 1
            except Exception:
                log.exception("something that fell due failed")
            self._deliveries.wake()

    async def run(self) -> None:
        """Follow the real time."""
        while True:
            try:
                async with self._moving:
                    await self._work(self.now)
            except Exception:
                log.exception("something that fell due failed")
            self._deliveries.wake()
            await asyncio.sleep(TICK_SECONDS)

    async def _work(self, until: int) -> None:
        steps = 0
        while agenda.do_next(self._store, until):
            steps += 1
            if steps % STEPS_AT_ONCE == 0:
                self._deliveries.wake()
                await asyncio.sleep(0)
