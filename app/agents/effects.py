"""Effects: the only place where a tool that writes is run."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import approvals
from app.agents.errors import EffectFailed
from app.agents.models import Approval
from app.agents.tools.registry import ToolContext, ToolResult, tool_of
from app.audit import service as audit
from app.auth.principal import Principal
from app.core.errors import AppError


async def perform(
    session: AsyncSession, context: ToolContext, approval_id: UUID, tool_name: str, arguments: dict[str, Any]
) -> ToolResult:
    """Consume an approval and do what it is for, in one transaction, which the caller commits.

    A run that is taken up again after its effect was committed gets the result that was kept: the effect happens once.
    Raises `ApprovalNotFound`, `ApprovalRefused`, `Forbidden`, `ValidationError`, errors of the services; then the
    caller must roll back, and the approval is not used.
    """
    tool = tool_of(tool_name)
    tool.require_scope(context.principal)
    parsed = tool.parsed(arguments)
    who, run_id = context.principal, context.run_id
    row = await approvals.consume(session, who, approval_id, tool_name, arguments, run_id=run_id)
    result = await tool.run(context.within(session), parsed)
    await approvals.keep_result(session, row, {"text": result.text, "data": result.data})
    ids: dict[str, UUID | str | int] = {"tool": tool_name, **({"run_id": run_id} if run_id else {})}
    await audit.record_own(session, who, who.user_id, "agents.effect_done", approval_id, **ids)
    return result


async def perform_now(session: AsyncSession, principal: Principal, row: Approval) -> None:
    """Do what a program asked for outside a run, in the transaction in which the person gave leave.

    Raises `EffectFailed`; then the caller rolls back, and the leave has not been given.
    """
    content = await approvals.contents(session, row)
    vault_ids = content.get("vault_ids")
    scope = None if vault_ids is None else tuple(UUID(each) for each in vault_ids)
    try:
        await perform(session, ToolContext(principal, None, scope), row.id, row.tool, content["arguments"])
    except AppError as error:
        raise EffectFailed(error.title) from error


async def read_outcome(context: ToolContext, data: Any) -> ToolResult:
    """What became of something that the person was asked for. Raises `ApprovalNotFound`."""
    async with context.session() as session:
        row = await approvals.find(session, context.principal, data.approval_id)
        result = (await approvals.contents(session, row)).get("result")
    told = {"approval_id": str(row.id), "tool": row.tool, "state": row.state, "result": result and result["data"]}
    return ToolResult(f"{row.tool}: {row.state}", told)


async def done_before(session: AsyncSession, row: Approval) -> ToolResult | None:
    """The result of an approval that was used."""
    if row.state != "consumed":
        return None
    result = (await approvals.contents(session, row))["result"]
    return ToolResult(text=result["text"], data=result["data"])
