"""Record types: the built-in ones, and those that people make for a vault, sealed like everything they write."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.vault.cells import open_body, ring_of, rings_of, seal_body
from app.vault.errors import RoleTooLow, StaleRevision, TypeInUse, TypeNotFound
from app.vault.etags import check_revision
from app.vault.models import items, members, types
from app.vault.policy import allows, open_to_members, require
from app.vault.schemas.types import RecordTypeRead, TypeCreate, TypeUpdate
from app.vault.service.listing import FIRST_PAGE, Filters
from app.vault.service.room import require_below
from app.vault.types import CUSTOM, RecordType, record_types
from app.vault.types.fields import check_definition

GROUP: Final = "custom"


class Kinds(dict[str, RecordType]):
    """Types by name; one that went away meanwhile has no fields, and is closed to agents."""

    def __missing__(self, name: str) -> RecordType:
        return RecordType(name=name, label=name, group=GROUP, credential=True, fields=[])


BUILT_IN: Final = Kinds(record_types())


async def kinds_of(session: AsyncSession, names: Iterable[str]) -> Mapping[str, RecordType]:
    """The types with these names, for whoever may see the records that have them."""
    type_ids = {type_id_of(name) for name in names if name.startswith(CUSTOM)}
    if not type_ids:
        return BUILT_IN
    rows = (await session.execute(select(types).where(types.c.id.in_(type_ids)))).mappings().all()
    rings = await rings_of(session, rows)
    return Kinds(BUILT_IN | {name_of(row["id"]): _kind(rings[row["vault_id"]], row) for row in rows})


def type_id_of(name: str) -> UUID | None:
    """The id in the name of a type that people made."""
    return UUID(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else None


def name_of(type_id: UUID) -> str:
    """What `type` says in records of a type that people made."""
    return f"{CUSTOM}{type_id}"


async def kind_for(session: AsyncSession, principal: Principal, vault_id: UUID, name: str) -> RecordType:
    """The type of a new record; it stays until the transaction ends.

    Raises `TypeNotFound`; for types that people made also `VaultNotFound`, `RoleTooLow`.
    """
    type_id = type_id_of(name)
    if type_id is None:
        return record_types()[name]
    await require(session, principal, vault_id, "write")
    mine = types.c.id == type_id, types.c.vault_id == vault_id
    held = select(types).where(*mine).with_for_update(read=True, key_share=True)
    row = (await session.execute(held)).mappings().one_or_none()
    if row is None:
        raise TypeNotFound
    return _kind(await ring_of(session, vault_id, row["body"]), row)


async def create_type(session: AsyncSession, principal: Principal, data: TypeCreate) -> RecordTypeRead:
    """Make a record type for a vault.

    Raises `VaultNotFound`, `RoleTooLow`, `InvalidDefinition`, `LimitReached`.
    """
    await require(session, principal, data.vault_id, "write")
    definition = data.model_dump(exclude={"vault_id"})
    check_definition(definition["fields"])
    await require_type_room(session, data.vault_id)
    made = await add_type(session, principal, data.vault_id, definition)
    await audit.record(session, principal, data.vault_id, "vault.type_created", made.id)
    return made


async def require_type_room(session: AsyncSession, vault_id: UUID) -> None:
    """See that a vault may have another type. Raises `LimitReached`."""
    held = select(func.count()).select_from(types).where(types.c.vault_id == vault_id)
    most = current().settings.types_per_vault
    await require_below(session, held, most, vault_id, "The vault has as many record types as it may; delete some")


async def add_type(
    session: AsyncSession, principal: Principal, vault_id: UUID, definition: Mapping[str, Any]
) -> RecordTypeRead:
    """Store a definition that was checked, in a vault that the principal may write to."""
    type_id = new_id()
    ring = await ring_of(session, vault_id)
    body = seal_body(ring, types, type_id, dict(definition))
    values = {"id": type_id, "vault_id": vault_id, "body": body, "written_by": principal.user_id}
    row = (await session.execute(insert(types).values(values).returning(types))).mappings().one()
    return _read(ring, row)


async def list_types(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[RecordTypeRead], UUID | None]:
    """One page: the built-in types on the first, then those of one vault or of all, newest first.

    Raises `VaultNotFound`.
    """
    if filters.vault_id:
        await require(session, principal, filters.vault_id, "read")
    statement = _mine(principal).where(types.c.id < (filters.before or FIRST_PAGE))
    if filters.vault_id:
        statement = statement.where(types.c.vault_id == filters.vault_id)
    page = statement.order_by(types.c.id.desc()).limit(filters.limit + 1)
    rows = (await session.execute(page)).mappings().all()
    found = rows[: filters.limit]
    rings = await rings_of(session, found)
    built_in = [] if filters.before else [_built_in(kind) for kind in record_types().values()]
    last = found[-1]["id"] if len(rows) > filters.limit else None
    return built_in + [_read(rings[row["vault_id"]], row) for row in found], last


async def read_type(session: AsyncSession, principal: Principal, type_id: UUID) -> RecordTypeRead:
    """A type that people made. Raises `TypeNotFound`."""
    row = await _visible(session, principal, type_id)
    return _read(await ring_of(session, row["vault_id"], row["body"]), row)


async def types_by_id(session: AsyncSession, principal: Principal, type_ids: Collection[UUID]) -> list[RecordTypeRead]:
    """Those of these types that people made and that the principal may read."""
    if not type_ids:
        return []
    rows = (await session.execute(_mine(principal).where(types.c.id.in_(type_ids)))).mappings().all()
    rings = await rings_of(session, rows)
    return [_read(rings[row["vault_id"]], row) for row in rows]


async def find_kind(session: AsyncSession, principal: Principal, vault_id: UUID, name: str) -> RecordType:
    """A type that records of a vault may have. Raises `TypeNotFound`."""
    type_id = type_id_of(name)
    if type_id is None:
        return record_types()[name]
    row = await _visible(session, principal, type_id)
    if row["vault_id"] != vault_id:
        raise TypeNotFound
    return _kind(await ring_of(session, vault_id, row["body"]), row)


async def update_type(
    session: AsyncSession, principal: Principal, type_id: UUID, data: TypeUpdate, *, if_match: str | None
) -> RecordTypeRead:
    """Change a definition; records keep what they hold, and a field that is no longer defined becomes a custom one.

    Raises `TypeNotFound`, `RoleTooLow`, `StaleRevision`, `InvalidDefinition`. Emits `vault.type_changed`.
    """
    row = await _writable(session, principal, type_id)
    check_revision(if_match, row["revision"])
    ring = await ring_of(session, row["vault_id"], row["body"])
    changes = {name: value for name, value in data.model_dump().items() if value is not None}
    definition = open_body(ring, types, type_id, row["body"]) | changes
    check_definition(definition["fields"])
    same = types.c.id == type_id, types.c.revision == row["revision"]
    values = {
        "body": seal_body(ring, types, type_id, definition),
        "revision": row["revision"] + 1,
        "updated_at": func.now(),
    }
    changed = update(types).where(*same).values(values).returning(types)
    after = (await session.execute(changed)).mappings().one_or_none()
    if after is None:
        raise StaleRevision
    await emit(session, "vault.type_changed", type_id=type_id, vault_id=row["vault_id"])
    ids = {"revision": after["revision"]}
    await audit.record(session, principal, row["vault_id"], "vault.type_updated", type_id, **ids)
    return _read(ring, after)


async def delete_type(session: AsyncSession, principal: Principal, type_id: UUID) -> None:
    """Delete a type that no record has. Raises `TypeNotFound`, `RoleTooLow`, `TypeInUse`."""
    row = await _writable(session, principal, type_id)
    # Whoever makes a record of this type holds its row, so that after this none is on its way.
    await session.execute(select(types.c.id).where(types.c.id == type_id).with_for_update())
    if await session.scalar(select(exists().where(items.c.type_id == type_id))):
        raise TypeInUse
    await session.execute(delete(types).where(types.c.id == type_id))
    await audit.record(session, principal, row["vault_id"], "vault.type_deleted", type_id)


async def tell_of_records(session: AsyncSession, type_id: UUID) -> int:
    """Tell those who follow records that these are read in another way now; returns how many. For the system.

    Emits `vault.item_changed` for each record of a type that was changed.
    """
    rows = (await session.execute(select(items.c.id, items.c.vault_id).where(items.c.type_id == type_id))).all()
    for row in rows:
        await emit(session, "vault.item_changed", item_id=row.id, vault_id=row.vault_id, change="updated")
    return len(rows)


def _mine(principal: Principal) -> Any:
    return select(types, members.c.role).select_from(open_to_members(types)).where(_is_member(principal))


def _is_member(principal: Principal) -> Any:
    return members.c.user_id == principal.user_id


async def _visible(session: AsyncSession, principal: Principal, type_id: UUID) -> Any:
    row = (await session.execute(_mine(principal).where(types.c.id == type_id))).mappings().one_or_none()
    if row is None:
        raise TypeNotFound
    return row


async def _writable(session: AsyncSession, principal: Principal, type_id: UUID) -> Any:
    row = await _visible(session, principal, type_id)
    if not allows(row["role"], "write"):
        raise RoleTooLow
    return row


def _kind(ring: KeyRing, row: Any) -> RecordType:
    definition = open_body(ring, types, row["id"], row["body"])
    return RecordType(name=name_of(row["id"]), group=GROUP, **definition)


def _read(ring: KeyRing, row: Any) -> RecordTypeRead:
    own = {"id": row["id"], "vault_id": row["vault_id"], "revision": row["revision"]}
    return RecordTypeRead(**_kind(ring, row).model_dump(), **own)


def _built_in(kind: RecordType) -> RecordTypeRead:
    return RecordTypeRead(**kind.model_dump(), id=None, vault_id=None, revision=None)
