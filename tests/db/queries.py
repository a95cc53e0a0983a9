"""What is sent to the database, as its driver sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event

from app.db.runtime import Runtime


@asynccontextmanager
async def queries(runtime: Runtime) -> AsyncIterator[list[str]]:
    """The texts of all queries that connections from the pool send from here on, BEGIN and COMMIT among them.

    Not in their order: asyncpg tells of those that it sends without SQLAlchemy a moment later.
    """
    sent: list[str] = []
    listened: list[tuple[Any, Any]] = []

    def on_checkout(adapted: Any, _entry: Any, _fairy: Any) -> None:
        log = lambda query: sent.append(query.query.strip())  # noqa: E731
        adapted.driver_connection.add_query_logger(log)
        listened.append((adapted.driver_connection, log))

    def on_execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)  # SQLAlchemy prepares its statements, and asyncpg tells nothing of those

    engine = runtime.engine.sync_engine
    event.listen(engine, "checkout", on_checkout)
    event.listen(engine, "before_cursor_execute", on_execute)
    try:
        yield sent
        await asyncio.sleep(0)
    finally:
        event.remove(engine, "checkout", on_checkout)
        event.remove(engine, "before_cursor_execute", on_execute)
        for driver, log in listened:
            driver.remove_query_logger(log)
