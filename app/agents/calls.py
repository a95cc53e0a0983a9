"""What a model asks of tools: reading is done, an effect waits for the person. Nothing that it sends is believed."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_ai.messages import ToolCallPart, ToolReturnPart
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import approvals, effects, events
from app.agents.framing import framed
from app.agents.masking import each_text
from app.agents.models import Approval, Run
from app.agents.tools.registry import TOOLS, Tool, ToolContext, ToolResult, complaint, run_reading
from app.core.clock import utc_now
from app.core.errors import AppError
from app.db.runtime import current
from app.jobs.service import JobRun
from app.rag.plain import plain

REFUSED = "The person did not allow this. Do not ask for it again."


@dataclass(frozen=True)
class Turn:
    """The calls of one message; `ordinal` is its place, so that a call is known without what the model calls it."""

    job: JobRun
    run: Run
    context: ToolContext
    allowed: frozenset[str]
    ordinal: int

    async def must_wait(self, asked: list[ToolCallPart]) -> bool:
        """Ask the person for what has an effect; whether something is still to be decided."""
        async with self.job.scope() as session:
            waiting = False
            for index, call in enumerate(asked):
                tool, arguments = self._effect(call)
                if tool is None:
                    continue
                row = await self._approval(session, index)
                row = row or await self._propose(session, index, tool, arguments)
                waiting = waiting or (row.state == "pending" and row.expires_at > utc_now())
            if waiting:
                await self._rest(session)
        return waiting

    async def _rest(self, session: AsyncSession) -> None:
        run = (await session.scalars(select(Run).where(Run.id == self.run.id).with_for_update())).one()
        run.state = "waiting"
        await session.flush()
        await events.append(session, run.id, run.user_id, "waiting", {})
        await self.job.finish(session)

    def _effect(self, call: ToolCallPart) -> tuple[Tool | None, dict[str, Any]]:
        """The tool of a call that has an effect, and valid arguments; None for all that needs no approval."""
        tool = TOOLS.get(call.tool_name) if call.tool_name in self.allowed else None
        if tool is None or tool.effect == "read" or tool.scope not in self.context.principal.scopes:
            return None, {}
        try:
            arguments = _arguments(call)
            tool.parsed(arguments)
        except ValueError:
            return None, {}
        return tool, arguments

    async def _approval(self, session: AsyncSession, index: int) -> Approval | None:
        mine = Approval.run_id == self.run.id, Approval.call_id == self._call_id(index)
        statement = select(Approval).where(*mine).execution_options(populate_existing=True)
        row: Approval | None = await session.scalar(statement)
        return row

    async def _propose(self, session: AsyncSession, index: int, tool: Tool, arguments: dict[str, Any]) -> Approval:
        ids: dict[str, Any] = {"call_id": self._call_id(index)}
        row = await approvals.propose(session, self.context.principal, self.run.id, tool.name, arguments, **ids)
        told = {"approval_id": str(row.id), "tool": tool.name, "arguments": arguments, "call": self._call_id(index)}
        await events.append(session, self.run.id, self.run.user_id, "approval", told)
        return row

    def _call_id(self, index: int) -> str:
        return f"{self.ordinal}:{index}"

    async def returned(self, index: int, call: ToolCallPart, first: int) -> ToolReturnPart:
        """What a call comes to, as it is told to the model; passages are numbered from `first`."""
        told = {"tool": call.tool_name if call.tool_name in TOOLS else None, "call": self._call_id(index)}
        await self._tell("tool_call", {**told, "arguments": self._shown(call)})
        try:
            result, ok = await self._result(index, call), True
        except ValidationError as error:
            result, ok = ToolResult(complaint(error)), False
        except (AppError, ValueError) as error:
            result, ok = ToolResult(error.title if isinstance(error, AppError) else "Not valid JSON."), False
        await self._tell("tool_result", {**told, "ok": ok})
        metadata = {"citations": [each.model_dump(mode="json") for each in result.citations], "best": result.best}
        text = framed(result, first)
        return ToolReturnPart(call.tool_name, text, call.tool_call_id, metadata=metadata if result.citations else None)

    def _shown(self, call: ToolCallPart) -> dict[str, Any]:
        """What the model asks for, as it is shown: whole if the person was asked about it, and else without links."""
        arguments: dict[str, Any] = call.args_as_dict()
        if self._effect(call)[0]:
            return arguments
        hosts = current().settings.answer_host_names
        shown: dict[str, Any] = each_text(arguments, lambda text: plain(text, hosts))
        return shown

    async def _result(self, index: int, call: ToolCallPart) -> ToolResult:
        if call.tool_name not in self.allowed or call.tool_name not in TOOLS:
            return ToolResult("There is no such tool.")
        arguments = _arguments(call)
        if TOOLS[call.tool_name].effect == "read":
            return await run_reading(self.context, call.tool_name, arguments)
        tool = TOOLS[call.tool_name]
        tool.require_scope(self.context.principal)
        tool.parsed(arguments)
        async with self.job.scope() as session:
            row = await self._approval(session, index)
            assert row is not None  # noqa: S101  `must_wait` asked for it
            if result := await effects.done_before(session, row):
                return result
            if row.state != "approved":
                return ToolResult(REFUSED)
            return await effects.perform(session, self.context, row.id, call.tool_name, arguments)

    async def _tell(self, kind: str, data: dict[str, Any]) -> None:
        async with self.job.scope() as session:
            await events.append(session, self.run.id, self.run.user_id, kind, data)
        events.wake(self.run.id)


def _arguments(call: ToolCallPart) -> dict[str, Any]:
    """The arguments as JSON. Raises `ValueError`."""
    try:
        return call.args_as_dict(raise_if_invalid=True)
    except AssertionError:  # JSON, but no object
        raise ValueError from None
