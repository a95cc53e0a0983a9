"""Wakes those in this process who wait for changes.

The database notifies on commit (LISTEN) whose vault or account has changed. Now and then the table is looked at, too:
a notification may be lost, and a pooler in transaction mode passes none on, where this is the only way.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

from app.auth.parts import per_runtime
from app.core.logging import get_log
from app.db.listening import listen
from app.db.owned_changes import CHANNEL
from app.db.runtime import Runtime, when_closing
from app.db.session import session_scope
from app.events import measures
from app.events.errors import TooManyStreams
from app.vault import service as vaults

NET_SECONDS: Final = 15.0

log = get_log(__name__)


class Waiter:
    """Somebody who waits for changes of vaults, and of themself."""

    def __init__(self) -> None:
        self.ids: set[UUID] = set()
        self.woken = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait until something has changed, or until it is time to look anyway."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()


class Hub:
    """Everybody who waits in this process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self._waiters: dict[UUID, set[Waiter]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._hears = False
        self._position = 0

    @contextmanager
    def waiting(self, user_id: UUID) -> Iterator[Waiter]:
        """Somebody who is woken by what changes of this person's, and in the vaults of `watch`.

        Raises `TooManyStreams`.
        """
        if len(self._waiters.get(user_id, ())) >= self._settings.event_streams_per_user:
            raise TooManyStreams
        self._start()
        waiter = Waiter()
        self._add(waiter, user_id)
        try:
            yield waiter
        finally:
            for each in list(waiter.ids):
                self._remove(waiter, each)

    def watch(self, waiter: Waiter, user_id: UUID, vault_ids: Collection[UUID]) -> None:
        """Wake them by what changes in these vaults from now on."""
        wanted = {user_id, *vault_ids}
        for each in waiter.ids - wanted:
            self._remove(waiter, each)
        for each in wanted - waiter.ids:
            self._add(waiter, each)

    def _add(self, waiter: Waiter, which: UUID) -> None:
        waiter.ids.add(which)
        self._waiters.setdefault(which, set()).add(waiter)

    def _remove(self, waiter: Waiter, which: UUID) -> None:
        waiter.ids.discard(which)
        self._waiters[which].discard(waiter)
        if not self._waiters[which]:
            del self._waiters[which]

    def _wake(self, which: UUID) -> None:
        for waiter in self._waiters.get(which, ()):
            waiter.woken.set()

    def _start(self) -> None:
        if not self._tasks:
            when_closing(self._runtime, self._close)
            self._tasks.append(asyncio.create_task(self._look_forever()))
            self._tasks.append(asyncio.create_task(listen(self._settings, CHANNEL, self._heard, self._connected)))

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _heard(self, payload: str) -> None:
        with suppress(ValueError):
            self._wake(UUID(payload))

    def _connected(self, hears: bool) -> None:
        """Whoever waits may have missed something while nobody listened."""
        if hears != self._hears:
            measures.is_listening.inc(1 if hears else -1)
        self._hears = hears
        for which in list(self._waiters):
            self._wake(which)

    async def _look_forever(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # whatever it was, the next look may succeed
                log.warning("changes not looked at", error=type(error).__name__)
            await asyncio.sleep(NET_SECONDS if self._hears else self._settings.event_poll_seconds)

    async def _look(self) -> None:
        """Wake whom the transactions concern that were not finished at the last look."""
        async with session_scope() as session:
            finished, concerned = await vaults.concerned_since(session, self._position)
        if self._position:
            for which in concerned:
                self._wake(which)
        self._position = finished


@per_runtime
def hub(runtime: Runtime) -> Hub:
    """That of this process."""
    return Hub(runtime)
