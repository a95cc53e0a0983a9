"""Due days of sealed vaults: clients leave tokens of days, and on the day their people are told to look."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.session import session_scope
from app.notifications.inbox import Notice, notify
from app.notifications.preferences import preferences_of_all
from app.vault.errors import StaleRevision
from app.vault.policy import roles_for
from app.vault.sealed.errors import SealedDueNotFound
from app.vault.sealed.models import dues
from app.vault.sealed.schemas import SealedDueRead, SealedDueWrite
from app.vault.sealed.service.access import head_of, require_sealed
from app.vault.service.following import roles_in

AT_ONCE: Final = 500
DAY: Final = timedelta(days=1)
TITLE: Final = "Something in a sealed vault is due"
TEXT: Final = "Open the vault with your client: only it can tell what it is."


async def leave_due(session: AsyncSession, principal: Principal, vault_id: UUID, data: SealedDueWrite) -> SealedDueRead:
    """Keep tokens in the place of those before. Raises `VaultNotFound`, `VaultNotSealed`, `RoleTooLow`, and
    `StaleRevision` for tokens of another epoch than the present one.
    """
    await require_sealed(session, principal, vault_id, "write")
    if data.epoch != (await head_of(session, vault_id))["epoch"]:
        raise StaleRevision
    values = {
        "epoch": data.epoch,
        "first_on": data.first_on,
        "days": data.days,
        "tokens": sorted(set(data.tokens)),
        "next_on": data.first_on if data.days and data.tokens else None,
    }
    put = upsert(dues).values(vault_id=vault_id, **values)
    newer = {**values, "updated_at": func.now()}
    kept = put.on_conflict_do_update(index_elements=["vault_id"], set_=newer).returning(dues)
    return _read((await session.execute(kept)).mappings().one())


async def read_due(session: AsyncSession, principal: Principal, vault_id: UUID) -> SealedDueRead:
    """What was left. Raises `VaultNotFound`, `VaultNotSealed`, `SealedDueNotFound`."""
    await require_sealed(session, principal, vault_id, "read")
    row = (await session.execute(select(dues).where(dues.c.vault_id == vault_id))).mappings().one_or_none()
    if row is None:
        raise SealedDueNotFound
    return _read(row)


async def nudge(now: datetime) -> int:
    """Tell people of the days that have come since the last time, each once; returns how many were told."""
    today = now.astimezone(UTC).date()
    async with session_scope() as session:
        waiting = select(dues.c.vault_id).where(dues.c.next_on <= today).order_by(dues.c.next_on).limit(AT_ONCE)
        vault_ids = (await session.scalars(waiting)).all()
    told = 0
    for vault_id in vault_ids:
        async with session_scope() as session:
            told += await _nudge(session, vault_id, today, now)
    return told


async def _nudge(session: AsyncSession, vault_id: UUID, today: date, now: datetime) -> int:
    """One vault; nothing if another worker is at it, or was."""
    mine = dues.c.vault_id == vault_id, dues.c.next_on <= today
    locked = select(dues).where(*mine).with_for_update(skip_locked=True)
    row = (await session.execute(locked)).mappings().one_or_none()
    if row is None:
        return 0
    last = row["first_on"] + DAY * (len(row["days"]) - 1)
    tokens, day, told = set(row["tokens"]), row["next_on"], 0
    while day <= min(today, last):
        if row["days"][(day - row["first_on"]).days] in tokens:
            told += await _tell(session, vault_id, day, now)
        day += DAY
    following = day if day <= last else None
    await session.execute(update(dues).where(dues.c.vault_id == vault_id).values(next_on=following))
    return told


async def _tell(session: AsyncSession, vault_id: UUID, day: date, now: datetime) -> int:
    """Everybody who may write, as with reminders of other vaults."""
    roles = await roles_in(session, vault_id)
    able = [user_id for user_id, role in roles.items() if role in roles_for("write")]
    cause = f"sealed-due:{vault_id}:{day.isoformat()}"
    notice = Notice(kind="reminder", cause=cause, title=TITLE, text=TEXT, discreet=TITLE, vault_id=vault_id)
    people = await preferences_of_all(session, able)
    return sum([await notify(session, user_id, notice, person, now) for user_id, person in people.items()])


def _read(row: Any) -> SealedDueRead:
    last = row["first_on"] + DAY * (len(row["days"]) - 1) if row["days"] else None
    names = "epoch", "first_on", "updated_at"
    return SealedDueRead(**{name: row[name] for name in names}, last_on=last, tokens=len(row["tokens"]))
