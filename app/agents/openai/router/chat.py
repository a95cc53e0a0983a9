"""Chat completions."""

from starlette.responses import Response, StreamingResponse

from app.agents import talk
from app.agents.errors import InvalidHistory, RunBusy, TooMany
from app.agents.openai.errors import ModelNotFound, RunFailed
from app.agents.openai.router.access import HEADERS, Runner, begin
from app.agents.openai.schemas.chat import ChatRead, ChatRequest
from app.api.deps import SessionDep
from app.api.openapi import event_stream
from app.api.problems import problems
from app.api.routes import Router
from app.payments.errors import PlanLimitReached
from app.vault.errors import VaultNotFound, VaultSealed

router = Router()
CHUNKS = event_stream(message={"type": "object"})
ERRORS = problems(
    InvalidHistory, ModelNotFound, PlanLimitReached, RunBusy, RunFailed, TooMany, VaultNotFound, VaultSealed
)


@router.post("/chat/completions", response_model=ChatRead, responses={200: {"content": CHUNKS}, **ERRORS})
async def create_chat_completion(data: ChatRequest, principal: Runner, session: SessionDep) -> ChatRead | Response:
    """Let an agent answer from your papers; citations are `annotations`, each with the quote and its place.

    Agents use tools of their own, which only read; one that changes something waits for your approval, which the
    answer then asks for. `tools` are functions of yours: a call of one ends the answer with `tool_calls`. What was
    said before is what you send; nothing is kept unless `store` is true.
    """
    await talk.prepared()
    from app.agents.openai import chat  # noqa: PLC0415  brings pydantic-ai

    message, added = chat.asked(data)
    kept, scope = bool(data.store), data.vault_ids
    run = await begin(session, principal, data.model, message, added, vault_ids=scope, kept=kept)
    if data.stream:
        usage = bool(data.stream_options and data.stream_options.include_usage)
        created = int(run.created_at.timestamp())
        sent = chat.chunks(principal, run.id, created, data.model, usage=usage)
        return StreamingResponse(sent, media_type="text/event-stream", headers=HEADERS)
    rest = await talk.rested(principal, run.id)
    await talk.let_go(principal, run.id)
    if error := chat.failure_of(rest):
        raise error
    return chat.completion(rest, data.model)
