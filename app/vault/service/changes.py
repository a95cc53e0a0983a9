"""The feed of changes: what has happened since a cursor, without ever leaving something out.

A cursor says up to which transaction, and which of its changes, somebody has read. It passes none that may still be
running: `xmin` of the snapshot is the oldest of those. What later ones have committed already is shown, too, and
comes again. A cursor also names its epoch, as the numbers of transactions begin anew when a backup is put back.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Select,
    String,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.logging import get_log
from app.db.runtime import current
from app.db.session import lazy, session_scope
from app.db.statements import Row, Statement
from app.vault.models import change_state, changes, members
from app.vault.policy import USER, require
from app.vault.schemas.changes import ChangeRead
from app.vault.service.contents import Contents, contents_of

EPOCH_BITS, XID_BITS, NUMBER_BITS = 32, 48, 48
ACCESS: Final = "access"
KEPT: Final = ("vault", "member", ACCESS, "item", "document", "type", "link", "reminder")
"""Kinds of what clients keep a copy of; others only tell of what is going on."""
GONE: Final = ("purged", "removed")
ROWS_AT_ONCE: Final = 10_000

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """What was read: everything of transactions before `xid`, and of that one up to `number`."""

    xid: int = 0
    number: int = 0


STATE: Final = Statement(
    select(
        change_state.c.epoch,
        change_state.c.horizon,
        (change_state.c.place == func.vault_changes_place()).label("here"),
        cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), String), BigInteger).label("finished"),
    )
)


def _after(kinds: Any) -> Select[Any]:
    position = tuple_(bindparam("xid", type_=BigInteger), bindparam("number", type_=BigInteger))
    following = tuple_(changes.c.xid, changes.c.number) > position
    return select(changes).where(kinds, following).order_by(changes.c.xid, changes.c.number).limit(bindparam("most"))


def _page(*, of_vaults: bool) -> Statement:
    """The next changes of each vault, of one's access, and of what is one's own; then the first of those."""
    wanted = changes.c.kind == any_(bindparam("kinds", type_=ARRAY(String)))
    in_vault = _after((changes.c.vault_id == members.c.vault_id) & (changes.c.kind != ACCESS) & wanted).lateral("page")
    shared = select(in_vault).select_from(members.join(in_vault, true())).where(members.c.user_id == USER)
    access = (changes.c.kind == ACCESS) & (changes.c.subject_id == USER) & wanted
    if of_vaults:
        asked = any_(bindparam("vault_ids", type_=ARRAY(Uuid)))
        parts = [
            shared.where(members.c.vault_id == asked),
            select(_after(access & (changes.c.vault_id == asked)).subquery()),
        ]
    else:
        own = _after((changes.c.user_id == USER) & wanted)
        parts = [shared, select(_after(access).subquery()), select(own.subquery())]
    both = union_all(*parts).subquery("both")
    return Statement(select(both).order_by(both.c.xid, both.c.number).limit(bindparam("most")))


MINE: Final = Statement(select(members.c.vault_id).where(members.c.user_id == USER))
CONCERNED: Final = Statement(
    select(case((changes.c.kind == ACCESS, changes.c.subject_id), else_=changes.c.vault_id).label("who"))
    .where(changes.c.xid >= bindparam("xid", type_=BigInteger))
    .distinct()
)
PAGE: Final = _page(of_vaults=False)
PAGE_OF_VAULTS: Final = _page(of_vaults=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes are asked for: of these kinds, and in these vaults alone."""

    kinds: Sequence[str] = KEPT
    vault_ids: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Rows of changes; `until` is the cursor of `position`, which goes on from there; see `Changes` for the rest.

    `is_cut`: there is more at once, some of which may come again, as transactions are not finished. `present` is the
    cursor of everything that was finished by then.
    """

    rows: Sequence[Row]
    position: Position
    until: UUID
    present: UUID
    has_more: bool
    is_cut: bool
    reset: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What has happened; `until` is the cursor that goes on from there; after a `reset` this is the beginning."""

    items: list[ChangeRead]
    until: UUID
    has_more: bool
    reset: bool


async def list_changes(
    session: AsyncSession,
    principal: Principal,
    since: UUID | None,
    limit: int,
    vault_id: UUID | None = None,
    *,
    content: bool = False,
) -> Changes:
    """What has happened in the principal's vaults, or in one, since a cursor. Raises `VaultNotFound`."""
    if vault_id:
        await require(session, principal, vault_id, "read", any_tier=True)
    page = await read_changes(session, principal, since, limit, Wanted(vault_ids=[vault_id] if vault_id else None))
    contents = await contents_of(session, principal, page.rows) if content else {}
    items = [_read(row, contents) for row in page.rows]
    return Changes(items=items, until=page.until, has_more=page.has_more, reset=page.reset)


async def read_changes(
    session: AsyncSession, principal: Principal, since: UUID | None, limit: int, wanted: Wanted
) -> ChangesPage:
    """The next changes after a cursor, of what the principal is a member of now; `require_vaults` comes before."""
    state = await _state(session)
    if since is not None and _is_ahead(since, state):  # of this replica: the cursor comes from somewhere fresher
        await lazy(session).use_primary()
        state = await _state(session)
    position = _position(since, state)
    begin = position or Position()
    values: dict[str, Any] = {"xid": begin.xid, "number": begin.number, "most": limit + 1, "kinds": list(wanted.kinds)}
    if wanted.vault_ids is None:
        rows = await PAGE.fetch(session, user_id=principal.user_id, **values)
    else:
        vault_ids = list(wanted.vault_ids)
        rows = await PAGE_OF_VAULTS.fetch(session, user_id=principal.user_id, vault_ids=vault_ids, **values)
    shown = rows[:limit]
    has_more = len(rows) > limit and shown[-1]["xid"] < state["finished"]
    until = Position(shown[-1]["xid"], shown[-1]["number"]) if has_more else Position(state["finished"])
    return ChangesPage(
        rows=shown,
        position=until,
        until=_cursor(state["epoch"], until),
        present=_cursor(state["epoch"], Position(state["finished"])),
        has_more=has_more,
        is_cut=len(rows) > limit,
        reset=since is not None and position is None,
    )


async def my_vault_ids(session: AsyncSession, principal: Principal) -> list[UUID]:
    """Every vault whose changes the principal is told of, those in the trash among them."""
    return [row["vault_id"] for row in await MINE.fetch(session, user_id=principal.user_id)]


async def concerned_since(session: AsyncSession, finished: int) -> tuple[int, set[UUID]]:
    """Which transactions are finished now; the vaults and people whom those concern that were not, at `finished`.

    For the system.
    """
    state = await _state(session)
    rows = await CONCERNED.fetch(session, xid=finished or state["finished"])
    return int(state["finished"]), {row["who"] for row in rows}


async def present_cursor(session: AsyncSession) -> UUID:
    """The cursor of everything that is finished now."""
    state = await _state(session)
    return _cursor(state["epoch"], Position(state["finished"]))


def _read(row: Row, contents: Contents) -> ChangeRead:
    values = {name: row[name] for name in ChangeRead.model_fields if name != "content"}
    return ChangeRead(**values, content=contents.get((row["kind"], row["vault_id"], row["subject_id"])))


async def _state(session: AsyncSession) -> Row:
    """Which epoch it is, and which transactions are finished; another place begins another epoch."""
    state = await STATE.first(session)
    if state is None or not state["here"]:
        await _begin_anew()
        state = await STATE.first(session)
    assert state is not None  # noqa: S101
    return state


async def _begin_anew() -> None:
    """Number everything anew in a database that was put back, or moved: old cursors are of no use here."""
    async with session_scope() as session:
        place = await session.scalar(select(change_state.c.place).with_for_update())
        here = await session.scalar(select(func.vault_changes_place()))
        if place == here:
            return
        present = cast(cast(func.pg_current_xact_id(), String), BigInteger)
        await session.execute(update(changes).values(xid=present))
        values = {"epoch": secrets.randbelow(2**EPOCH_BITS - 1) + 1, "place": here, "horizon": 0}
        await session.execute(update(change_state).values(values))
    log.info("changes numbered anew")


def _position(since: UUID | None, state: Row) -> Position | None:
    """Where a cursor goes on; None at the beginning, for a cursor that is too old, too, or of another time."""
    if since is None:
        return None
    number = since.int & (2**NUMBER_BITS - 1)
    xid = _xid(since)
    epoch = since.int >> (NUMBER_BITS + XID_BITS)
    good = epoch == state["epoch"] and state["horizon"] < xid <= state["finished"]
    return Position(xid, number) if good else None


def _is_ahead(since: UUID, state: Row) -> bool:
    return bool(since.int >> (NUMBER_BITS + XID_BITS) == state["epoch"] and _xid(since) > state["finished"])


def _xid(cursor: UUID) -> int:
    return int(cursor.int >> NUMBER_BITS & (2**XID_BITS - 1))


def _cursor(epoch: int, position: Position) -> UUID:
    return UUID(int=epoch << (XID_BITS + NUMBER_BITS) | position.xid << NUMBER_BITS | position.number)


async def forget_changes(now: datetime) -> int:
    """Forget what is gone for long; cursors from before that begin anew. Returns how many."""
    before = now - timedelta(days=current().settings.changes_days)
    key = changes.c.vault_id, changes.c.kind, changes.c.subject_id
    old = select(*key).where(changes.c.change.in_(GONE), changes.c.at < before).limit(ROWS_AT_ONCE)
    forgotten = delete(changes).where(tuple_(*key).in_(old), changes.c.at < before).returning(changes.c.xid)
    async with session_scope() as session:
        xids = (await session.scalars(forgotten)).all()
        if xids:
            horizon = func.greatest(change_state.c.horizon, max(xids))
            await session.execute(update(change_state).values(horizon=horizon))
    return len(xids)
