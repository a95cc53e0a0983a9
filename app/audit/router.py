"""Routes of the log."""

from typing import Annotated
from uuid import UUID

from fastapi import Security

from app.api.deps import SessionDep, get_principal
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.audit import service
from app.audit.errors import LogBroken, LogForManagers, LogNotFound
from app.audit.queries import LogPages, OwnLogPages, numbered_cursor
from app.audit.schemas import EntryPage, HeadRead, KeyList
from app.auth.principal import Principal

router = Router(prefix="/audit", tags=["audit"])
Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Self = Annotated[Principal, Security(get_principal, scopes=["profile"])]


@router.get("/keys")
async def list_keys() -> KeyList:
    """The public keys that the ends of logs are signed with (Ed25519).

    Signed is `lifevault audit head 1`, the id of the vault or account, the number of the last entry and its hash; each
    part after its length (4 bytes), numbers in 8 bytes. The hash of an entry is the SHA-256 of `lifevault audit entry
    1`, that id, its number, the hash before it (zeros for the first), `key_version` (4 bytes), `actor_kind`,
    `actor_id`, `action`, `subject_id`, `ids` (JSON with sorted names and no spaces) and `at` in microseconds since
    1970 (8 bytes), joined in the same way; an id that is null has no bytes.
    """
    return KeyList(items=service.public_keys())


@router.get("/me", responses=problems(InvalidCursor))
async def list_own(query: OwnLogPages, principal: Self, session: SessionDep) -> EntryPage:
    """What happened to your account: sign-ins, keys, factors, exports; the last first."""
    entries, last = await service.list_own(session, principal, query.filters())
    return EntryPage(items=entries, next_cursor=numbered_cursor(last))


@router.get("/me/head", responses=problems(LogBroken))
async def read_own_head(principal: Self, session: SessionDep) -> HeadRead:
    """The signed end of the log of your account."""
    return await service.head_of(session, principal.user_id)


@router.get("/vaults/{vault_id}/entries", responses=problems(LogNotFound, LogForManagers, InvalidCursor))
async def list_entries(vault_id: UUID, query: LogPages, principal: Reader, session: SessionDep) -> EntryPage:
    """Who did what in a vault, the last act first. For its owner and admins."""
    entries, last = await service.list_entries(session, principal, vault_id, query.filters())
    return EntryPage(items=entries, next_cursor=numbered_cursor(last))


@router.get("/vaults/{vault_id}/head", responses=problems(LogNotFound, LogBroken))
async def read_head(vault_id: UUID, principal: Reader, session: SessionDep) -> HeadRead:
    """The signed end of a vault's log, for all its members. Who keeps it finds out if the log is cut or changed."""
    return await service.read_head(session, principal, vault_id)
