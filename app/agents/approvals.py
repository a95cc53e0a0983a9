"""Approvals: the leave of one person to do exactly one thing once.

An approval is bound to the tool, its canonical arguments, the run and the approver by a digest, and is consumed in the
transaction of the effect: if that is rolled back it is not used, and it can't be used twice.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.cells import opened, sealed
from app.agents.errors import ApprovalDecided, ApprovalNotFound, ApprovalRefused, ApproverNeeded
from app.agents.models import Approval
from app.agents.tools.registry import tool_of
from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.db.outbox import emit
from app.db.runtime import current

TABLE: Final = "agent_approvals"


def canonical(arguments: Any) -> bytes:
    """The one way to write these arguments: sorted keys, no spaces."""
    return orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)


def digest_of(tool: str, arguments: Any, run_id: UUID | None, approver: UUID) -> bytes:
    """SHA-256 over tool, canonical arguments, run and approver, as a JSON list, so that nothing can run together."""
    parts = [tool, canonical(arguments).decode(), str(run_id), str(approver)]
    return hashlib.sha256(orjson.dumps(parts)).digest()


async def propose(
    session: AsyncSession,
    principal: Principal,
    run_id: UUID | None,
    tool: str,
    arguments: dict[str, Any],
    *,
    call_id: str | None = None,
    vault_ids: Sequence[UUID] | None = None,
) -> Approval:
    """Ask the person for leave; without a run it is done when it is given, in these vaults (None: all) at most.

    Raises `UnknownTool`. Emits `agents.approval_asked`.
    """
    tool_of(tool)
    approval_id = new_id()
    content = {"arguments": arguments, "vault_ids": None if vault_ids is None else [str(each) for each in vault_ids]}
    row = Approval(
        id=approval_id,
        user_id=principal.user_id,
        run_id=run_id,
        call_id=call_id,
        tool=tool,
        digest=digest_of(tool, arguments, run_id, principal.user_id),
        state="pending",
        body=await sealed(session, principal.user_id, TABLE, approval_id, content),
        expires_at=utc_now() + timedelta(seconds=current().settings.approval_seconds),
        decided_at=None,
        consumed_at=None,
    )
    session.add(row)
    await session.flush()
    await emit(session, "agents.approval_asked", approval_id=approval_id, user_id=principal.user_id)
    return row


async def decide(
    session: AsyncSession, principal: Principal, approval_id: UUID, approve: bool, *, now: datetime | None = None
) -> Approval:
    """Give leave or refuse it, once. A program may refuse, but only a person who is signed in gives leave.

    Raises `ApprovalNotFound`, `ApprovalDecided`, `ApproverNeeded`, `Forbidden`.
    """
    row = await find(session, principal, approval_id)
    if approve:
        if principal.session_id is None:
            raise ApproverNeeded
        tool_of(row.tool).require_scope(principal)
    decided = (
        update(Approval)
        .where(Approval.id == approval_id, Approval.user_id == principal.user_id, Approval.state == "pending")
        .where(Approval.expires_at > (now or utc_now()))
        .values(state="approved" if approve else "denied", decided_at=func.now())
        .returning(Approval.id)
    )
    if await session.scalar(decided) is None:
        raise ApprovalDecided
    await session.refresh(row)
    return row


async def consume(
    session: AsyncSession,
    principal: Principal,
    approval_id: UUID,
    tool: str,
    arguments: Any,
    *,
    run_id: UUID | None = None,
    now: datetime | None = None,
) -> Approval:
    """Use an approval, in the transaction of its effect.

    Raises `ApprovalNotFound` for another approver, `ApprovalRefused` if it was not given for exactly this, or was used.
    """
    row = await find(session, principal, approval_id, lock=True)
    given = row.state == "approved" and row.expires_at > (now or utc_now()) and row.run_id == run_id
    expected = digest_of(tool, arguments, run_id, principal.user_id)
    if not given or row.tool != tool or not hmac.compare_digest(row.digest, expected):
        raise ApprovalRefused
    row.state, row.consumed_at = "consumed", utc_now()
    await session.flush()
    return row


async def keep_result(session: AsyncSession, row: Approval, result: Any) -> None:
    """Remember what the effect came to, in its transaction."""
    content = {**await opened(session, TABLE, row), "result": result}
    row.body = await sealed(session, row.user_id, TABLE, row.id, content)
    await session.flush()


async def find(session: AsyncSession, principal: Principal, approval_id: UUID, *, lock: bool = False) -> Approval:
    """An approval of this person's. Raises `ApprovalNotFound`."""
    mine = select(Approval).where(Approval.id == approval_id, Approval.user_id == principal.user_id)
    mine = mine.with_for_update() if lock else mine
    row = await session.scalar(mine.execution_options(populate_existing=True))
    if row is None:
        raise ApprovalNotFound
    return row


async def of_run(session: AsyncSession, run_id: UUID) -> list[Approval]:
    """The approvals of a run, oldest first."""
    statement = select(Approval).where(Approval.run_id == run_id).order_by(Approval.id)
    return list(await session.scalars(statement.execution_options(populate_existing=True)))


async def listed(
    session: AsyncSession, principal: Principal, *, state: str | None, limit: int, before: UUID | None
) -> list[Approval]:
    """A person's approvals, newest first."""
    statement = select(Approval).where(Approval.user_id == principal.user_id).order_by(Approval.id.desc())
    if state:
        statement = statement.where(Approval.state == state)
    if before:
        statement = statement.where(Approval.id < before)
    return list(await session.scalars(statement.limit(limit)))


async def contents(session: AsyncSession, row: Approval) -> dict[str, Any]:
    """What it is about: `arguments`, `vault_ids`, and the `result` once there is one."""
    content: dict[str, Any] = await opened(session, TABLE, row)
    return content
