"""Runs as chat completions.

Import it lazily: it brings pydantic-ai.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final
from uuid import UUID

import orjson

from app.agents import talk
from app.agents.openai.errors import RunFailed, shape
from app.agents.openai.schemas.chat import (
    Annotation,
    AssistantMessage,
    CalledRead,
    CallRead,
    ChatChoice,
    ChatRead,
    ChatRequest,
    InstructionMessage,
    Reply,
    ToolMessage,
    UrlCitation,
    Usage,
    text_of,
)
from app.agents.openai.schemas.common import Waiting
from app.agents.talk import Rest
from app.agents.turns import Answered, Returned, Said, Turn
from app.auth.principal import Principal
from app.core.errors import AppError
from app.db.runtime import current
from app.payments.errors import PlanLimitReached
from app.rag.schemas import CitationRead

MARKER: Final = re.compile(r"\[(\d+(?:, \d+)*)\]")
KEEP_ALIVE: Final = b": still working\n\n"
QUIET_ROUNDS: Final = 20


def asked(data: ChatRequest) -> tuple[str, Any]:
    """What the person is shown of the question, and what the run is told. Raises `InvalidHistory`."""
    from app.agents.asked import added, asked_by  # noqa: PLC0415  brings pydantic-ai

    turns: list[Turn] = []
    instructions = []
    for message in data.messages:
        if isinstance(message, InstructionMessage):
            instructions.append(text_of(message.content))
        elif isinstance(message, ToolMessage):
            turns.append(Returned(message.tool_call_id, text_of(message.content)))
        elif isinstance(message, AssistantMessage):
            called = [(each.id, each.function.name, each.function.arguments) for each in message.tool_calls or []]
            turns.append(Answered(text_of(message.content), called))
        else:
            turns.append(Said(text_of(message.content)))
    functions = [] if data.tool_choice == "none" else [tool.function.taken for tool in data.tools or []]
    question = asked_by(turns)
    return question.message, added(question, "\n\n".join(filter(None, instructions)), functions, data.settings())


def failure_of(rest: Rest) -> AppError | None:
    """Why a run came to no answer."""
    if rest.run.state not in ("failed", "cancelled"):
        return None
    if rest.run.reason == "plan_limit":
        return PlanLimitReached()
    return RunFailed(f"The run ended: {rest.run.reason}")


def page_url(citation: CitationRead) -> str:
    """Where the page is read that a citation is cut out of."""
    base = current().settings.public_url.rstrip("/")
    return f"{base}/v1/rag/documents/{citation.document_id}/pages/{citation.page}"


def places(text: str, count: int) -> list[tuple[int, int]]:
    """Where the first marker of each citation stands in the text; at its end for one without a marker."""
    found: dict[int, tuple[int, int]] = {}
    for match in MARKER.finditer(text):
        for number in match[1].split(", "):
            found.setdefault(int(number), match.span())
    return [found.get(number, (len(text), len(text))) for number in range(1, count + 1)]


def annotations(text: str, citations: Sequence[CitationRead]) -> list[Annotation]:
    """Each citation at its marker."""
    spans = places(text, len(citations))
    return [
        Annotation(
            type="url_citation",
            url_citation=UrlCitation(start_index=start, end_index=end, url=page_url(each), **each.model_dump()),
        )
        for each, (start, end) in zip(citations, spans, strict=True)
    ]


def completion(rest: Rest, model: str) -> ChatRead:
    """The whole answer."""
    calls = [_call(each.id, each.name, each.arguments) for each in rest.calls]
    reply = Reply(
        role="assistant",
        content=rest.text or None,
        refusal=None,
        annotations=annotations(rest.text, rest.citations),
        tool_calls=calls or None,
    )
    return ChatRead(
        id=_id(rest.run.id),
        object="chat.completion",
        created=int(rest.run.created_at.timestamp()),
        model=model,
        choices=[ChatChoice(index=0, message=reply, logprobs=None, finish_reason=_finish(rest))],
        usage=_usage(rest),
        lifevault=Waiting(run_id=str(rest.run.id), approvals=rest.approvals),
    )


def _call(call_id: str, name: str, arguments: str) -> CallRead:
    return CallRead(id=call_id, type="function", function=CalledRead(name=name, arguments=arguments))


def _id(run_id: UUID) -> str:
    return f"chatcmpl-{run_id.hex}"


def _finish(rest: Rest) -> Any:
    return "tool_calls" if rest.calls else "stop"


def _usage(rest: Rest) -> Usage:
    prompt, completed = rest.run.prompt_tokens, rest.run.completion_tokens
    return Usage(prompt_tokens=prompt, completion_tokens=completed, total_tokens=prompt + completed)


async def chunks(
    principal: Principal, run_id: UUID, created: int, model: str, *, usage: bool
) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent chunks. Who leaves before its end ends the run."""
    head = {"id": _id(run_id), "object": "chat.completion.chunk", "created": created, "model": model}
    quiet, ended = 0, False
    try:
        yield _line(head, [_delta({"role": "assistant", "content": ""})])
        async with aclosing(talk.pieces(principal, run_id)) as coming:
            async for piece in coming:
                quiet = quiet + 1 if piece is None else 0
                if isinstance(piece, str):
                    yield _line(head, [_delta({"content": piece})])
                elif piece is not None:
                    ended = True
                    for line in _last(head, piece, usage=usage):
                        yield line
                elif quiet % QUIET_ROUNDS == 0:
                    yield KEEP_ALIVE
        await talk.let_go(principal, run_id)
        yield b"data: [DONE]\n\n"
    finally:
        if not ended:
            await talk.leave(principal, run_id)


def _last(head: dict[str, Any], rest: Rest, *, usage: bool) -> list[bytes]:
    """What follows the text: calls, annotations, the reason to stop, usage; or what went wrong."""
    if error := failure_of(rest):
        return [error_line(error)]
    lines = []
    if rest.calls:
        calls = [_call(each.id, each.name, each.arguments).model_dump() for each in rest.calls]
        lines.append(_line(head, [_delta({"tool_calls": [{"index": n, **each} for n, each in enumerate(calls)]})]))
    if rest.citations:
        cited = [each.model_dump(mode="json") for each in annotations(rest.text, rest.citations)]
        lines.append(_line(head, [_delta({"annotations": cited})]))
    behind = Waiting(run_id=str(rest.run.id), approvals=rest.approvals).model_dump(mode="json")
    lines.append(_line({**head, "lifevault": behind}, [_delta({}, _finish(rest))]))
    if usage:
        lines.append(_line({**head, "usage": _usage(rest).model_dump()}, []))
    return lines


def error_line(error: AppError) -> bytes:
    """An error in the middle of a stream."""
    problem = {"status": error.status, "title": error.title, "detail": error.detail, "code": error.code()}
    return b"data: %s\n\n" % orjson.dumps(shape(problem))


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _line(head: dict[str, Any], choices: list[dict[str, Any]]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps({**head, "choices": choices})
