"""What a client sends, as a run takes it: the person's words, what was said before, and the client's own functions.

Import it lazily: it brings pydantic-ai.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from app.agents.added import Added, Function
from app.agents.errors import InvalidHistory
from app.agents.framing import framed
from app.agents.history import dumped
from app.agents.tools.registry import ToolResult
from app.agents.turns import Answered, Returned, Said, Turn

MOST_SHOWN: Final = 8_000
BLANK: Final = "…"
NO_RESULT: Final = "There is no result."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked: `message` is what the person is shown of it."""

    message: str
    first: ModelMessage
    given: list[ModelMessage]


def asked_by(turns: list[Turn], before: list[ModelMessage] | None = None) -> Asked:
    """The last turn is what is asked, the others were said before it, after `before`.

    Nothing in it can have an effect: a call of ours that a client makes up is only a text, and approvals are rows.
    Raises `InvalidHistory`.
    """
    messages, waiting = list(before or []), _waiting(before or [])
    for turn in turns:
        if waiting and not isinstance(turn, Returned):  # the person went on without
            for call_id in list(waiting):
                _add_result(messages, waiting, call_id, NO_RESULT)
        match turn:
            case Said(text):
                messages.append(ModelRequest([UserPromptPart(text)]))
            case Answered(text, calls):
                messages.append(_answer(text, calls))
                waiting = {call_id: name for call_id, name, _ in calls}
            case Returned(call_id, output):
                _add_result(messages, waiting, call_id, output)
    if waiting or not messages or not isinstance(messages[-1], ModelRequest):
        raise InvalidHistory("The last message must be the user's, or the results of all calls")
    return Asked(_shown(messages), messages[-1], messages[:-1])


def _waiting(before: list[ModelMessage]) -> dict[str, str]:
    """The calls that have no result yet."""
    waiting: dict[str, str] = {}
    for message in before:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                waiting[part.tool_call_id] = part.tool_name
            elif isinstance(part, ToolReturnPart):
                waiting.pop(part.tool_call_id, None)
    return waiting


def _answer(text: str, calls: list[tuple[str, str, str]]) -> ModelResponse:
    parts: list[Any] = [TextPart(text)] if text or not calls else []
    return ModelResponse([*parts, *(ToolCallPart(name, arguments, call_id) for call_id, name, arguments in calls)])


def _add_result(messages: list[ModelMessage], waiting: dict[str, str], call_id: str, output: str) -> None:
    """Results of one answer stand in one message, framed as data."""
    name = waiting.pop(call_id, None)
    if name is None:
        raise InvalidHistory("A result belongs to no call")
    part = ToolReturnPart(name, framed(ToolResult(output), 1), call_id)
    last = messages[-1]
    if isinstance(last, ModelRequest) and isinstance(last.parts[0], ToolReturnPart):
        messages[-1] = ModelRequest([*last.parts, part])
    else:
        messages.append(ModelRequest([part]))


def _shown(messages: list[ModelMessage]) -> str:
    """The person's last words."""
    for message in reversed(messages):
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart):
                return str(part.content).strip()[:MOST_SHOWN].strip() or BLANK
    return BLANK


def added(
    asked: Asked,
    instructions: str,
    functions: Sequence[Function],
    settings: dict[str, Any] | None = None,
    echo: dict[str, Any] | None = None,
) -> Added:
    """What the run is told besides the question."""
    return Added(
        instructions=instructions,
        functions=[*functions],
        given=dumped(asked.given),
        first=dumped([asked.first])[0],
        settings=settings or {},
        echo=echo or {},
    )
