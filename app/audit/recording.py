"""Acts written into the log, in the transaction of the act: if the log can't be written, the act does not happen."""

import re
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Integer, LargeBinary, String, Uuid, bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain
from app.auth.principal import Principal
from app.db.statements import Statement

ACTION: Final = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", re.ASCII)  # room.what_happened
WORD: Final = re.compile(r"[a-z0-9_.:-]{1,64}", re.ASCII)  # of ours: a kind, a state, a role; nothing that people write
NO_IDS: Final = "{}"

ACT: Final = (
    bindparam("actor_kind", type_=String),
    bindparam("actor_id", type_=Uuid),
    bindparam("action", type_=String),
    bindparam("subject_id", type_=Uuid),
    bindparam("ids", type_=String),
    bindparam("key_version", type_=Integer),
    bindparam("inner_pad", type_=LargeBinary),
    bindparam("outer_pad", type_=LargeBinary),
)
CHAIN: Final = bindparam("chain_id", type_=Uuid)
TO_VAULT: Final = Statement(select(func.audit_append(CHAIN, literal(False), *ACT)))
TO_PERSON: Final = Statement(select(func.audit_append(CHAIN, literal(True), *ACT)))


async def record(
    session: AsyncSession,
    principal: Principal | None,
    vault_id: UUID,
    action: str,
    subject_id: UUID | None = None,
    **ids: UUID | str | int,
) -> int:
    """Write what a principal did into the log of a vault; returns the number of the entry. No principal: the system.

    Ids, numbers and words of ours only, never what a person wrote. The session acts for a member, the vault or the
    system. Other acts in the vault wait until the transaction ends, so this comes last. Raises `DBAPIError`.
    """
    values = act_values(vault_id, principal, action, subject_id, ids)
    return int(await TO_VAULT.scalar(session, chain_id=vault_id, **values))


async def record_own(
    session: AsyncSession,
    principal: Principal | None,
    user_id: UUID,
    action: str,
    subject_id: UUID | None = None,
    **ids: UUID | str | int,
) -> int:
    """Write what happened to a person's account into their own log; like `record`. The session acts for them."""
    values = act_values(user_id, principal, action, subject_id, ids)
    return int(await TO_PERSON.scalar(session, chain_id=user_id, **values))


def act_values(
    chain_id: UUID, principal: Principal | None, action: str, subject_id: UUID | None, ids: dict[str, UUID | str | int]
) -> dict[str, Any]:
    """The values of `ACT`. Raises `ValueError` for what does not belong into a log."""
    if not _is_action(action):
        raise ValueError("an action is named room.what_happened")
    version = chain.current_key_version()
    inner, outer = chain.tag_pads(chain_id, version)
    kind, by = _actor(principal)
    return {
        "actor_kind": kind,
        "actor_id": principal.user_id if principal else None,
        "action": action,
        "subject_id": subject_id,
        "ids": _canonical({**ids, **by}) if ids or by else NO_IDS,
        "key_version": version,
        "inner_pad": inner,
        "outer_pad": outer,
    }


@lru_cache(maxsize=1_024)
def _is_action(action: str) -> bool:
    return ACTION.fullmatch(action) is not None


def _actor(principal: Principal | None) -> tuple[str, dict[str, UUID]]:
    """What kind of principal it is, and by which key or foreign identity it acts for its person."""
    if principal is None:
        return "system", {}
    if principal.session_id:
        return "person", {}
    if principal.api_key_id:
        return "api_key", {"api_key_id": principal.api_key_id}
    if principal.identity_id:
        return "identity", {"identity_id": principal.identity_id}
    return "agent", {}


def _canonical(ids: dict[str, UUID | str | int]) -> str:
    """JSON with sorted names, and without spaces."""
    if not all(isinstance(each, UUID | int) or WORD.fullmatch(each) for each in ids.values()):
        raise ValueError("the log takes ids, numbers and words of ours")
    return orjson.dumps(ids, default=str, option=orjson.OPT_SORT_KEYS).decode()  # the driver has a UUID of its own
