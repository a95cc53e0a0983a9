"""Events of a run as events of pydantic-ai, whose adapters know the protocols of front ends.

Import it lazily: it brings pydantic-ai.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic_ai import AgentRunResult, AgentRunResultEvent, DeferredToolRequests
from pydantic_ai._agent_graph import GraphAgentState
from pydantic_ai.messages import (
    CustomEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelResponse,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
)

from app.agents import runs
from app.agents.events import RunEvent
from app.auth.principal import Principal

UNKNOWN: Final = "unknown"


class RunEnded(Exception):
    """The run came to no answer; the text says why, and is told to the client."""


@dataclass(kw_only=True)
class Citations(CustomEvent, name="citations"):
    """The citations of an answer, in the order of their numbers."""

    citations: list[Any]


@dataclass(kw_only=True)
class Begun(CustomEvent, name="run"):
    """Where the run is kept."""

    run_id: str
    conversation_id: str


class Telling:
    """What was told of a run so far. `approvals`: what it asked the person before, by the place of the call."""

    def __init__(self, run_id: UUID, approvals: dict[str, str]) -> None:
        self._run_id = run_id
        self._approvals = dict(approvals)
        self._denied: set[str] = set()
        self._asked: list[ToolCallPart] = []
        self._text = ""
        self._index = 0

    def tell(self, event: RunEvent) -> Iterator[Any]:
        """What one event is in theirs. Raises `RunEnded`."""
        data = event.data
        match event.kind:
            case "text":
                yield from self._more(data["text"])
            case "tool_call" if data["call"] not in self._approvals:
                yield from self._call(self._part(data, self._id(data["call"])))
            case "tool_result":
                yield self._result(data)
            case "approval":
                self._approvals[data["call"]] = data["approval_id"]
                part = self._part(data, data["approval_id"])
                self._asked.append(part)
                yield from self._call(part)
            case "decision" if not data["approved"]:
                self._denied.add(data["approval_id"])
            case "waiting":
                yield self._rest(DeferredToolRequests(approvals=self._asked), "tool_call")
            case "done":
                yield from self._done(data)

    def _id(self, call: str) -> str:
        return f"{self._run_id.hex}-{call.replace(':', '-')}"

    def _part(self, data: Any, call_id: str) -> ToolCallPart:
        return ToolCallPart(data["tool"] or UNKNOWN, data["arguments"], call_id)

    def _more(self, text: str) -> Iterator[Any]:
        if self._text:
            yield PartDeltaEvent(index=self._index, delta=TextPartDelta(text))
        else:
            yield PartStartEvent(index=self._index, part=TextPart(text))
        self._text += text

    def _call(self, part: ToolCallPart) -> Iterator[Any]:
        yield from self._named(part)
        yield FunctionToolCallEvent(part=part, args_valid=True)

    def _named(self, part: ToolCallPart) -> Iterator[Any]:
        yield PartStartEvent(index=self._index, part=part)
        yield PartEndEvent(index=self._index, part=part)
        self._index += 1

    def _result(self, data: Any) -> FunctionToolResultEvent:
        call_id = self._approvals.get(data["call"]) or self._id(data["call"])
        outcome: Any = "denied" if call_id in self._denied else "success" if data["ok"] else "failed"
        said = "Done." if data["ok"] else "This did not work."
        return FunctionToolResultEvent(ToolReturnPart(data["tool"] or UNKNOWN, said, call_id, outcome=outcome))

    def _done(self, data: Any) -> Iterator[Any]:
        if self._text:
            yield PartEndEvent(index=self._index, part=TextPart(self._text))
            self._index += 1
        if data["state"] != "succeeded":
            raise RunEnded(data["reason"] or data["state"])
        if data["citations"]:
            yield Citations(citations=data["citations"])
        handed = [ToolCallPart(each["name"], each["arguments"], each["id"]) for each in data["calls"]]
        for part in handed:
            yield from self._named(part)
        if handed:
            yield self._rest(DeferredToolRequests(calls=handed), "tool_call")
        else:
            yield self._rest(self._text, "stop")

    def _rest(self, output: Any, reason: Any) -> AgentRunResultEvent[Any]:
        response = ModelResponse([TextPart(self._text)], finish_reason=reason)
        return AgentRunResultEvent(AgentRunResult(output, _state=GraphAgentState(message_history=[response])))


async def native(
    principal: Principal, run_id: UUID, conversation_id: UUID, after: int, approvals: dict[str, str]
) -> AsyncGenerator[Any, None]:
    """The events of a run after one that was seen, until it rests. Raises `RunEnded`, `RunNotFound`."""
    telling = Telling(run_id, approvals)
    yield Begun(run_id=str(run_id), conversation_id=str(conversation_id))
    async with aclosing(runs.stream_run(principal, run_id, after=after)) as coming:
        async for event in coming:
            for each in telling.tell(event) if event else ():
                yield each
