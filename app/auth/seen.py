"""What was in use just now: remembered by each process, so that the table is told once in a while only."""

import time
from collections import OrderedDict
from collections.abc import Awaitable
from uuid import UUID

REMEMBER = 50_000


class Seen:
    """Which rows this process has marked as in use within some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at: OrderedDict[UUID, float] = OrderedDict()

    def is_stale(self, row_id: UUID) -> bool:
        """Whether it is time to mark the row again; whoever is told so does it, by `mark`."""
        now = time.monotonic()
        if self._at.get(row_id, -self._seconds) + self._seconds > now:
            return False
        self._at[row_id] = now
        self._at.move_to_end(row_id)
        if len(self._at) > REMEMBER:
            self._at.popitem(last=False)
        return True

    async def mark(self, row_id: UUID, writing: Awaitable[None]) -> None:
        """Wait for the write; if it fails, the next one who asks is to try again."""
        try:
            await writing
        except BaseException:
            self._at.pop(row_id, None)
            raise
