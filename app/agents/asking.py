"""What a program may ask without a run: an answer, or the person's leave for something."""

from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import approvals
from app.agents.errors import TooMany
from app.agents.models import Approval
from app.agents.tools.registry import Quote, ToolContext, ToolResult
from app.auth.principal import Principal
from app.core.clock import utc_now
from app.db.runtime import current
from app.db.session import session_scope

ASKED: Final = (
    "The person is asked, and nothing has been done yet. They decide in LifeVault; until then tell them that approval "
    "{} waits for them."
)


async def answer(context: ToolContext, data: Any) -> ToolResult:
    """An answer from the documents in scope, with its quotes. Raises `PlanLimitReached`."""
    from app.rag import answering, paying, service  # noqa: PLC0415  bring NumPy

    settings = current().settings
    async with context.session() as session:
        bill = await paying.open_bill(session, context.principal, settings)
        await session.commit()
        async with bill.void_on_failure():
            vault_ids = None if context.vault_ids is None else list(context.vault_ids)
            hits = await service.search(session, context.principal, data.question, answering.HITS, vault_ids)
            found = await answering.answer(settings, data.question, hits)
    await bill.pay(found.usage)
    vaults = {hit.version_id: hit.vault_id for hit in hits}
    quotes = [Quote(vault_id=vaults[each.version_id], **each.model_dump()) for each in found.citations]
    return ToolResult(found.answer, {"found": found.found}, quotes)


async def ask_person(principal: Principal, tool: str, arguments: dict[str, Any]) -> ToolResult:
    """Ask the person to allow something; the same again is asked once. Raises `TooMany`. Emits as `propose`."""
    async with session_scope(principal.actor) as session:
        row = await _open_question(session, principal, tool, arguments)
        if row is None:
            await _require_room(session, principal)
            row = await approvals.propose(session, principal, None, tool, arguments)
    data = {"approval_id": str(row.id), "state": row.state, "expires_at": row.expires_at.isoformat()}
    return ToolResult(ASKED.format(row.id), data)


async def _open_question(
    session: AsyncSession, principal: Principal, tool: str, arguments: dict[str, Any]
) -> Approval | None:
    digest = approvals.digest_of(tool, arguments, None, principal.user_id)
    same = Approval.user_id == principal.user_id, Approval.digest == digest, Approval.run_id.is_(None)
    pending = Approval.state == "pending", Approval.expires_at > utc_now()
    row: Approval | None = await session.scalar(select(Approval).where(*same, *pending).limit(1))
    return row


async def _require_room(session: AsyncSession, principal: Principal) -> None:
    mine = Approval.user_id == principal.user_id, Approval.run_id.is_(None)
    pending = Approval.state == "pending", Approval.expires_at > utc_now()
    count = await session.scalar(select(func.count()).where(*mine, *pending))
    if (count or 0) >= current().settings.agent_questions_at_once:
        raise TooMany("Too many questions wait for the person")
