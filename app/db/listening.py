"""Notifications of the database (LISTEN), on a connection of its own: they come when a transaction commits."""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

from app.core.config import Settings
from app.db.engine import asyncpg_url, is_pooled

PAUSE_SECONDS: Final = 1.0


async def listen(
    settings: Settings, channel: str, heard: Callable[[str], None], connected: Callable[[bool], object] = bool
) -> None:
    """Tell of each notification for ever; `connected` is told when there is a connection, and when it is lost.

    Returns at once where a pooler stands in between, which leaves only asking again and again.
    """
    url = settings.database_url.get_secret_value()
    while not is_pooled(url):
        try:
            connection = await asyncpg.connect(asyncpg_url(url), timeout=settings.database_connect_timeout_seconds)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _, closed=closed: closed.set())
            await connection.add_listener(channel, lambda _connection, _pid, _channel, payload: heard(payload))
            connected(True)
            await closed.wait()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(PAUSE_SECONDS)
        finally:
            connection.terminate()
            connected(False)
        await asyncio.sleep(PAUSE_SECONDS / 10)
