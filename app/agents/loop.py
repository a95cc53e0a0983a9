"""The work of a run, step by step: each step is committed under the lease of the job before the next begins.

So whoever takes up a run after a crash goes on where it was, and an effect that was committed is never done again.
Import it lazily: it brings pydantic-ai.
"""

import asyncio
from typing import Any, Final

from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from sqlalchemy import func, select

from app.agents import calls, events, gateway, metering
from app.agents.added import Call
from app.agents.cells import sealed
from app.agents.errors import ModelDown
from app.agents.output import proven
from app.agents.work import TABLE, Work, fresh, open_work
from app.core.logging import get_log
from app.db.runtime import current
from app.jobs.service import JobRun
from app.payments.errors import PlanLimitReached
from app.rag.plain import plain

PIECE: Final = 400

log = get_log(__name__)


class Stop(Exception):
    """The run ends here; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def execute(job: JobRun) -> None:
    """Work on a run until it ends or needs an approval."""
    assert job.subject_id  # noqa: S101
    work = await open_work(job, job.subject_id)
    if work is None:
        return
    try:
        while not await _step(work):
            events.wake(work.run.id)
    except Stop as stop:
        await _end(work, "failed", stop.reason)
    except PlanLimitReached:
        await _end(work, "failed", "plan_limit")
    except ModelDown:
        if work.run.background and job.attempt < current().settings.job_max_attempts:
            raise
        await _end(work, "failed", "model_unavailable")
    finally:
        events.wake(work.run.id)


async def _step(work: Work) -> bool:
    """One step; whether the run rests after it."""
    last = work.messages[-1]
    if isinstance(last, ModelRequest):
        await _ask(work)
        return False
    asked = [part for part in last.parts if isinstance(part, ToolCallPart)]
    theirs = [call for call in asked if call.tool_name in work.functions]
    if theirs:
        await _hand_over(work, last, theirs)
        return True
    if not asked:
        await _answer(work, last)
        return True
    return await _use_tools(work, asked)


async def _ask(work: Work) -> None:
    """Ask the model for its next message."""
    _check_limits(work)
    settings, step = current().settings, work.run.steps + 1
    external = gateway.chain(settings, work.reach.policy) != [gateway.EXTRACTIVE]
    async with work.job.scope() as session:
        held = await metering.hold(session, work.principal, work.run.id, step, external=external)
        await events.append(session, work.run.id, work.run.user_id, "step", {"step": step})
    events.wake(work.run.id)
    answer = await _requested(work)
    tokens = (answer.usage.input_tokens, answer.usage.output_tokens)
    async with work.job.scope() as session:
        run = await fresh(session, work.run.id)
        await work.add(session, answer)
        cost = await metering.settle(session, run, step, held, answer.model_name or "", tokens)
        run.steps, run.credits = step, run.credits + cost
        run.prompt_tokens, run.completion_tokens = run.prompt_tokens + tokens[0], run.completion_tokens + tokens[1]
        await session.flush()
    work.run = run


async def _requested(work: Work) -> ModelResponse:
    model = gateway.model_for(current().settings, work.reach.policy)
    try:
        async with asyncio.timeout(work.seconds_left):
            return await model.request(work.asked(), work.settings(), work.parameters())
    except TimeoutError:
        raise Stop("too_long") from None


def _check_limits(work: Work) -> None:
    run, settings = work.run, current().settings
    if work.seconds_left <= 0:
        raise Stop("too_long")
    if run.steps >= settings.agent_max_steps:
        raise Stop("too_many_steps")
    if run.prompt_tokens + run.completion_tokens >= settings.agent_max_tokens:
        raise Stop("too_many_tokens")


async def _use_tools(work: Work, asked: list[ToolCallPart]) -> bool:
    """Run what the model asked for; whether the run rests because the person must be asked."""
    if len(asked) > current().settings.agent_calls_per_step:
        raise Stop("too_many_calls")
    turn = calls.Turn(work.job, work.run, work.context, work.tools, len(work.messages))
    if await turn.must_wait(asked):
        return True
    parts: list[ToolReturnPart] = []
    first = len(work.quotes) + 1
    for index, call in enumerate(asked):
        part = await turn.returned(index, call, first)
        first += len((part.metadata or {}).get("citations", []))
        parts.append(part)
    async with work.job.scope() as session:
        await work.add(session, ModelRequest(parts))
    return False


async def _hand_over(work: Work, last: ModelResponse, theirs: list[ToolCallPart]) -> None:
    """End the run with calls of the program's functions; calls of ours beside them are left undone."""
    text, citations = await _shown(work, last)
    made = [Call(id=each.tool_call_id, name=each.tool_name, arguments=each.args_as_json_str()) for each in theirs]
    handed = [each.model_dump() for each in made]
    result = {"output": text, "citations": citations, "model": last.model_name, "calls": handed}
    await _end(work, "succeeded", None, result)


async def _answer(work: Work, last: ModelResponse) -> None:
    """Show what was answered, with proven citations, and end the run."""
    text, citations = await _shown(work, last)
    if not text:
        raise Stop("empty_answer")
    result = {"output": text, "citations": citations, "model": last.model_name, "calls": []}
    await _end(work, "succeeded", None, result)


async def _shown(work: Work, last: ModelResponse) -> tuple[str, list[dict[str, Any]]]:
    """What a model wrote, fit to be shown, and its citations."""
    texts = [part for part in last.parts if isinstance(part, TextPart)]
    text = "\n".join(part.content for part in texts).strip()
    details = texts[0].provider_details if texts else None
    hosts = current().settings.answer_host_names
    if last.model_name == gateway.EXTRACTIVE:
        text, citations = plain(text, hosts), (details or {}).get("citations", [])
    else:
        text, citations = await asyncio.to_thread(proven, text, work.quotes, work.content["message"], hosts)
    return text, [{name: value for name, value in each.items() if name != "vault_id"} for each in citations]


async def _end(work: Work, state: str, reason: str | None, result: dict[str, Any] | None = None) -> None:
    """Write down how the run ended, in the transaction that ends its job."""
    async with work.job.scope() as session:
        run = await fresh(session, work.run.id)
        if result:
            content = {**work.content, **result}
            run.body = await sealed(session, run.user_id, TABLE, run.id, content)
            for begin in range(0, len(result["output"]), PIECE):
                piece = {"text": result["output"][begin : begin + PIECE]}
                await events.append(session, run.id, run.user_id, "text", piece)
        run.state, run.reason, run.ended_at = state, reason, await session.scalar(select(func.now()))
        found = result or {"citations": [], "calls": []}
        told = {"state": state, "reason": reason, "citations": found["citations"], "calls": found["calls"]}
        await session.flush()
        await events.append(session, run.id, run.user_id, "done", told)
        await work.job.finish(session)
    log.info("run ended", run_id=str(work.run.id), state=state, reason=reason or "")
