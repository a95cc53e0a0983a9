"""Runs as responses.

Import it lazily: it brings pydantic-ai.
"""

from typing import Any, Final
from uuid import UUID

import orjson

from app.agents.openai import names
from app.agents.openai.chat import places
from app.agents.openai.schemas.responses import (
    ConversationRead,
    Fault,
    FileCitation,
    InputDetails,
    OutputCall,
    OutputDetails,
    OutputMessage,
    OutputQuestion,
    OutputText,
    ResponseRead,
    ResponseRequest,
    Usage,
)
from app.agents.talk import Rest

STATUS: Final = {"queued": "queued", "running": "in_progress", "failed": "failed", "cancelled": "cancelled"}
SERVER: Final = "lifevault"


def response_id(run_id: UUID) -> str:
    """What clients call a run."""
    return f"resp_{run_id.hex}"


def run_id_of(name: str) -> UUID:
    """The run behind a response, or the conversation behind a conversation."""
    return UUID(name.partition("_")[2])


def echo_of(data: ResponseRequest, previous: str | None) -> dict[str, Any]:
    """What a response tells of the request that made it."""
    plain = data.model_dump(mode="json", exclude_none=True)
    names_kept = ("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "temperature", "tool_choice")
    kept = {name: plain[name] for name in (*names_kept, "tools", "top_p", "truncation") if name in plain}
    return {**kept, "previous_response_id": previous, "store": data.store is not False}


def response_of(rest: Rest, *, begun: bool = False) -> ResponseRead:
    """A run as it rests; `begun`: as it was before it had said anything."""
    run, echo = rest.run, rest.echo
    status: Any = "in_progress" if begun else STATUS.get(run.state, "completed")
    failed = status == "failed"
    at_rest = status in ("completed", "failed", "cancelled")
    return ResponseRead(
        id=response_id(run.id),
        object="response",
        created_at=run.created_at.timestamp(),
        completed_at=run.ended_at.timestamp() if run.ended_at and status == "completed" else None,
        status=status,
        background=run.background,
        error=Fault(code="server_error", message=f"The run ended: {run.reason}") if failed else None,
        incomplete_details=None,
        instructions=echo.get("instructions"),
        max_output_tokens=echo.get("max_output_tokens"),
        metadata=echo.get("metadata", {}),
        model=names.name_of(run.agent_id),
        output=output_of(rest) if at_rest else [],
        parallel_tool_calls=echo.get("parallel_tool_calls", True),
        previous_response_id=echo.get("previous_response_id"),
        conversation=ConversationRead(id=f"conv_{run.conversation_id.hex}") if echo.get("store", True) else None,
        store=echo.get("store", True),
        temperature=echo.get("temperature"),
        text={"format": {"type": "text"}},
        tool_choice=echo.get("tool_choice", "auto"),
        tools=echo.get("tools", []),
        top_p=echo.get("top_p"),
        truncation=echo.get("truncation", "disabled"),
        usage=_usage(rest) if at_rest else None,
    )


def _usage(rest: Rest) -> Usage:
    prompt, completed = rest.run.prompt_tokens, rest.run.completion_tokens
    return Usage(
        input_tokens=prompt,
        input_tokens_details=InputDetails(cached_tokens=0, cache_write_tokens=0),
        output_tokens=completed,
        output_tokens_details=OutputDetails(reasoning_tokens=0),
        total_tokens=prompt + completed,
    )


def output_of(rest: Rest) -> list[OutputMessage | OutputCall | OutputQuestion]:
    """The answer, calls that are handed over, and what the person is asked."""
    said = [message_of(rest)] if rest.text else []
    return [*said, *calls_of(rest), *questions_of(rest)]


def message_id(run_id: UUID) -> str:
    """What clients call the answer of a run."""
    return f"msg_{run_id.hex}"


def message_of(rest: Rest) -> OutputMessage:
    """The answer with its citations."""
    text = OutputText(type="output_text", text=rest.text, annotations=citations_of(rest), logprobs=[])
    return OutputMessage(
        type="message", id=message_id(rest.run.id), role="assistant", status="completed", content=[text]
    )


def citations_of(rest: Rest) -> list[FileCitation]:
    """Each citation at its marker."""
    return [
        FileCitation(
            type="file_citation",
            file_id=each.document_id,
            filename=each.title,
            index=start,
            **each.model_dump(exclude={"document_id", "title"}),
        )
        for each, (start, _) in zip(rest.citations, places(rest.text, len(rest.citations)), strict=True)
    ]


def calls_of(rest: Rest) -> list[OutputCall]:
    """The calls that are handed over."""
    return [
        OutputCall(
            type="function_call",
            id=f"fc_{rest.run.id.hex}_{number}",
            call_id=each.id,
            name=each.name,
            arguments=each.arguments,
            status="completed",
        )
        for number, each in enumerate(rest.calls)
    ]


def questions_of(rest: Rest) -> list[OutputQuestion]:
    """What the person is asked."""
    return [
        OutputQuestion(
            type="mcp_approval_request",
            id=str(each.id),
            name=each.tool,
            arguments=orjson.dumps(each.arguments).decode(),
            server_label=SERVER,
        )
        for each in rest.approvals
    ]
