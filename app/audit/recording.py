"""Acts written into the log, in the transaction of the act: if the log can't be written, the act does not happen.

Entries are sent together with COMMIT. So they cost no round trip, others who act in the same vault wait for this
transaction no longer than its end takes, and nobody who waits for the log holds what another one is to change first.
"""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import String, Uuid, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain
from app.audit.models import chains, entries
from app.auth.principal import Principal
from app.db.session import NOBODY, transaction_of
from app.db.statements import Statement
from app.db.transaction import quoted

ACTION: Final = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", re.ASCII)  # room.what_happened
NAME: Final = re.compile(r"[a-z][a-z_]*", re.ASCII)
WORD: Final = re.compile(r"[a-z0-9_.:-]{1,64}", re.ASCII)  # of ours: a kind, a state, a role; nothing that people write

LATELY: Final = timedelta(minutes=10)
LAST_ENTRIES: Final = 200
LATELY_DONE: Final = Statement(
    select(entries.c.sequence)
    .join(chains, chains.c.id == entries.c.chain_id)
    .where(chains.c.id == bindparam("chain_id", type_=Uuid), entries.c.sequence > chains.c.sequence - LAST_ENTRIES)
    .where(entries.c.at > func.now() - LATELY, entries.c.action == bindparam("action", type_=String))
    .where(entries.c.actor_id == bindparam("actor_id", type_=Uuid), entries.c.ids == bindparam("ids", type_=String))
    .where(entries.c.subject_id == bindparam("subject_id", type_=Uuid))
    .limit(1)
)


async def record(
    session: AsyncSession,
    principal: Principal | None,
    vault_id: UUID,
    action: str,
    subject_id: UUID | None = None,
    **ids: UUID | str | int,
) -> None:
    """Write what a principal did into the log of a vault, when the transaction commits. No principal: the system.

    Ids, numbers and words of ours only, never what a person wrote: anything else is a `ValueError`. The session acts
    for a member, the vault or the system now. COMMIT raises `DBAPIError` if the log can't be written.
    """
    _write(session, principal, vault_id, action, subject_id, ids, of_user=False)


async def record_own(
    session: AsyncSession,
    principal: Principal | None,
    user_id: UUID,
    action: str,
    subject_id: UUID | None = None,
    **ids: UUID | str | int,
) -> None:
    """Write what happened to a person's account into their own log; like `record`. The session acts for them."""
    _write(session, principal, user_id, action, subject_id, ids, of_user=True)


async def record_lately(
    session: AsyncSession,
    principal: Principal,
    vault_id: UUID,
    action: str,
    subject_id: UUID,
    **ids: UUID | str | int,
) -> None:
    """Like `record`, but once for what somebody does again and again within `LATELY`. The session acts for the vault.

    It is looked for among the last entries only, so it may be written twice.
    """
    same = {"action": action, "actor_id": principal.user_id, "subject_id": subject_id, "ids": _ids(principal, ids)}
    if await LATELY_DONE.scalar(session, chain_id=vault_id, **same) is None:
        _write(session, principal, vault_id, action, subject_id, ids, of_user=False)


def _write(
    session: AsyncSession,
    principal: Principal | None,
    chain_id: UUID,
    action: str,
    subject_id: UUID | None,
    ids: dict[str, UUID | str | int],
    *,
    of_user: bool,
) -> None:
    if not _is_action(action):
        raise ValueError("an action is named room.what_happened")
    version = chain.current_key_version()
    inner, outer = chain.tag_pads(chain_id, version)
    values = (
        _id(chain_id),
        str(of_user).lower(),
        quoted(_actor_kind(principal)),
        _id(principal.user_id if principal else None),
        quoted(action),
        _id(subject_id),
        quoted(_ids(principal, ids)),
        str(version),
        _bytes(inner),
        _bytes(outer),
    )
    command = f"SELECT audit_append({', '.join(values)})"
    transaction_of(session).at_commit(command, session.info.get("actor", NOBODY), order=chain_id.int)


@lru_cache(maxsize=1_024)
def _is_action(action: str) -> bool:
    return ACTION.fullmatch(action) is not None


def _actor_kind(principal: Principal | None) -> str:
    if principal is None:
        return "system"
    if principal.nominee_id:
        return "nominee"
    if principal.session_id:
        return "person"
    if principal.api_key_id:
        return "api_key"
    return "identity" if principal.identity_id else "agent"


def _ids(principal: Principal | None, ids: dict[str, UUID | str | int]) -> str:
    """JSON with sorted names, and without spaces; with the key or foreign identity by which somebody acts."""
    by = {"api_key_id": principal.api_key_id, "identity_id": principal.identity_id} if principal else {}
    known = {**ids, **{name: each for name, each in by.items() if each}}
    if not known:
        return "{}"
    for name, each in known.items():
        if not NAME.fullmatch(name) or not (isinstance(each, UUID | int) or WORD.fullmatch(each)):
            raise ValueError("the log takes ids, numbers and words of ours")
    plain = {name: each if isinstance(each, int) else str(each) for name, each in known.items()}
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()


def _id(row_id: UUID | None) -> str:
    return f"'{row_id.int:032x}'" if row_id else "NULL"


def _bytes(value: bytes) -> str:
    return f"'\\x{value.hex()}'"
