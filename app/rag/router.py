"""Search and questions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Security
from starlette.responses import Response, StreamingResponse

from app.api.deps import SessionDep, SettingsDep, get_principal
from app.api.openapi import event_stream
from app.api.problems import problems
from app.auth.principal import Principal
from app.core.config import Settings
from app.core.errors import AppError
from app.rag import answering, service
from app.rag.errors import ModelUnavailable, NotReadYet, PageNotFound
from app.rag.ranking import Hit
from app.rag.schemas import (
    AnswerRead,
    AskRequest,
    HitRead,
    PageRead,
    ReadingState,
    SearchRequest,
    SearchResult,
)
from app.vault.errors import VaultNotFound

EVENTS = event_stream(
    delta={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    answer={"$ref": "#/components/schemas/AnswerRead"},
    error={"$ref": "#/components/schemas/Problem"},
)

router = APIRouter(prefix="/rag", tags=["rag"])
Asker = Annotated[Principal, Security(get_principal, scopes=["rag:ask"])]
Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]


@router.post("/search", responses=problems(VaultNotFound, ModelUnavailable))
async def search(data: SearchRequest, principal: Asker, session: SessionDep, settings: SettingsDep) -> SearchResult:
    """Find the passages that answer best, in your own documents only."""
    shards = await service.open_shards(session, principal, data.vault_ids)
    await session.commit()  # no connection is held while the processor works
    hits = await asyncio.to_thread(service.search_shards, settings, shards, data.query, data.limit)
    return SearchResult(hits=[HitRead.model_validate(hit) for hit in hits])


@router.post(
    "/ask",
    response_model=AnswerRead,
    responses={200: {"content": EVENTS}, **problems(VaultNotFound, ModelUnavailable)},
)
async def ask(data: AskRequest, principal: Asker, session: SessionDep, settings: SettingsDep) -> AnswerRead | Response:
    """Answer a question from your own documents, with exact citations.

    With `stream` the answer comes as server-sent events: `delta` events carry text as it is written, the last event,
    `answer`, the whole answer with its citations; only that one is final.
    `found` is false when your documents do not say.
    """
    shards = await service.open_shards(session, principal, data.vault_ids)
    await session.commit()
    hits = await asyncio.to_thread(service.search_shards, settings, shards, data.question, answering.HITS)
    if data.stream:
        headers = {"X-Accel-Buffering": "no"}
        events = _events(settings, data.question, hits)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    return await answering.answer(settings, data.question, hits)


@router.get("/documents/{document_id}", responses=problems(NotReadYet))
async def read_reading_state(document_id: UUID, principal: Reader, session: SessionDep) -> ReadingState:
    """See what is searchable of a document."""
    return await service.read_state(session, principal, document_id)


@router.get("/documents/{document_id}/pages/{page}", responses=problems(PageNotFound))
async def read_page(
    document_id: UUID, page: Annotated[int, Path(ge=1, le=1_000_000)], principal: Reader, session: SessionDep
) -> PageRead:
    """Read the text of a page, to which the offsets of hits and citations refer."""
    return await service.read_page(session, principal, document_id, page)


async def _events(settings: Settings, question: str, hits: Sequence[Hit]) -> AsyncIterator[bytes]:
    try:
        async for part in answering.stream(settings, question, hits):
            if isinstance(part, AnswerRead):
                yield _event("answer", part.model_dump(mode="json"))
            else:
                yield _event("delta", {"text": part})
    except AppError as error:
        code = error.code()
        yield _event("error", {"type": f"/problems/{code}", "title": error.title, "status": error.status, "code": code})


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
