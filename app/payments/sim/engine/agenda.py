"""What falls due, in the order of time."""

from collections.abc import Callable
from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.store import Store

Step = Callable[[Books, str], None]
STEPS: Final[dict[str, Step]] = {}


def due(what: str) -> Callable[[Step], Step]:
    """Register what is done when something falls due."""

    def register(step: Step) -> Step:
        STEPS[what] = step
        return step

    return register


def next_time(store: Store, until: int) -> int | None:
    """When the next thing falls due, if that is not later than `until`."""
    row = store.db.execute("SELECT at FROM agenda WHERE at <= ? ORDER BY at, rank, seq LIMIT 1", (until,)).fetchone()
    return None if row is None else int(row[0])


def do_next(store: Store, until: int) -> bool:
    """Do one thing that is due, at its own time; False if there is none.

    If that time is ahead of the clock, the clock goes there in the same transaction. A step that fails is undone and
    dropped, so that it holds up nothing else, and its error is raised.
    """
    query = "SELECT seq, at, what, id FROM agenda WHERE at <= ? ORDER BY at, rank, seq LIMIT 1"
    row = store.db.execute(query, (until,)).fetchone()
    if row is None:
        return False
    seq, at, what, identifier = row
    try:
        with store.transaction(at=at) as books:
            if at > (now := store.now()):
                store.set_note("offset", store.offset + at - now)
            books.db.execute("DELETE FROM agenda WHERE seq = ?", (seq,))
            STEPS[what](books, identifier)
    except Exception:
        store.db.execute("DELETE FROM agenda WHERE seq = ?", (seq,))
        raise
    return True
