"""Search and questions.

What searches and answers is imported by the first request that needs it: it brings NumPy, which a start does not need.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
from fastapi import BackgroundTasks, FastAPI, Header, Path, Query, Security
from starlette.responses import Response, StreamingResponse

from app.api.deps import SessionDep, SettingsDep, get_principal
from app.api.openapi import event_stream
from app.api.problems import problems
from app.api.routes import Router
from app.api.waiting import waited_for
from app.auth.principal import Principal
from app.core.config import Settings
from app.core.etags import matches
from app.payments.errors import PlanLimitReached
from app.rag import paying
from app.rag.errors import NoPreview, NotReadYet, PageNotFound, PgvectorNotOffered
from app.rag.fields.shapes import FieldKind
from app.rag.schemas import (
    AnswerRead,
    AskRequest,
    FieldList,
    HitRead,
    IndexRead,
    IndexUpdate,
    PageRead,
    ReadingState,
    SearchRequest,
    SearchResult,
)
from app.vault.errors import (
    ContentDamaged,
    DocumentNotFound,
    RoleTooLow,
    VaultNotFound,
    VaultSealed,
    VersionNotFound,
)

if TYPE_CHECKING:
    from app.rag.ranking import Hit

EVENTS = event_stream(
    delta={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    answer={"$ref": "#/components/schemas/AnswerRead"},
)
PICTURE: dict[str, Any] = {
    "description": "The page",
    "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {"ETag": {"required": True, "schema": {"type": "string", "pattern": '^"[^"]+"$'}}},
}
EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
KEEP_ALIVE_SECONDS = 10.0


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    if settings.environment != "test":
        from app.rag import service  # noqa: PLC0415

        service.warm_up(settings)
    yield


router = Router(prefix="/rag", tags=["rag"], lifespan=_lifespan)
Asker = Annotated[Principal, Security(get_principal, scopes=["rag:ask"])]
Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["vault:write"])]


@router.post("/search", responses=problems(VaultNotFound, VaultSealed))
async def search(data: SearchRequest, principal: Asker, session: SessionDep) -> SearchResult:
    """Find the passages that answer best, in your own documents only."""
    from app.rag import service  # noqa: PLC0415

    hits = await service.search(session, principal, data.query, data.limit, data.vault_ids)
    return SearchResult(hits=[HitRead.model_validate(hit) for hit in hits])


@router.post(
    "/ask",
    response_model=AnswerRead,
    responses={200: {"content": EVENTS}, **problems(VaultNotFound, VaultSealed, PlanLimitReached)},
)
async def ask(
    data: AskRequest, principal: Asker, session: SessionDep, settings: SettingsDep, after: BackgroundTasks
) -> AnswerRead | Response:
    """Answer a question from your own documents, with exact citations.

    Every marker, such as [1], is the number of a citation, counted from 1. `found` is false when your documents do not
    say. If a language model is configured and does not answer, or proves nothing of what it says, the best sentences
    of your documents are quoted instead; `usage.model` tells who answered.

    With `stream` the answer comes as server-sent events: each `delta` carries more of the text, the last event,
    `answer`, the whole answer with its citations. The texts of the deltas joined are the text of the answer.

    An answer costs your family a credit, one of a language model more, by its tokens; one that fails costs nothing.
    """
    from app.rag import answering, service  # noqa: PLC0415

    bill = await paying.open_bill(session, principal, settings)
    async with bill.void_on_failure():
        hits = await service.search(session, principal, data.question, answering.HITS, data.vault_ids)
        if data.stream:
            events = _events(settings, data.question, hits, bill)
            return StreamingResponse(events, media_type="text/event-stream", headers=EVENT_HEADERS)
        answer = await answering.answer(settings, data.question, hits)
    after.add_task(bill.pay, answer.usage)
    return answer


@router.get("/documents/{document_id}", responses=problems(NotReadYet))
async def read_reading_state(document_id: UUID, principal: Reader, session: SessionDep) -> ReadingState:
    """See what is searchable of a document."""
    from app.rag import service  # noqa: PLC0415

    return await service.read_state(session, principal, document_id)


@router.get("/documents/{document_id}/pages/{page}", responses=problems(PageNotFound))
async def read_page(
    document_id: UUID, page: Annotated[int, Path(ge=1, le=1_000_000)], principal: Reader, session: SessionDep
) -> PageRead:
    """Read the text of a page, to which the offsets of hits and citations refer."""
    from app.rag import service  # noqa: PLC0415

    return await service.read_page(session, principal, document_id, page)


@router.get(
    "/documents/{document_id}/pages/{page}/preview",
    response_class=Response,
    responses={
        200: PICTURE,
        304: {"description": "Still what If-None-Match says", "headers": PICTURE["headers"]},
        **problems(DocumentNotFound, VersionNotFound, PageNotFound, NoPreview, ContentDamaged),
    },
)
async def show_page(
    document_id: UUID,
    page: Annotated[int, Path(ge=1, le=1_000_000)],
    principal: Reader,
    session: SessionDep,
    width: Annotated[int, Query(ge=1, le=1600, description="Pixels; rounded up to 160, 320, 640, 1000 or 1600.")] = 640,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The number of an earlier version.")] = None,
    if_none_match: Annotated[str | None, Header(max_length=200, description="The ETag that you have.")] = None,
) -> Response:
    """See a page of a PDF or of a photo or scan as PNG: turned the right way, and without what a camera wrote into it.

    A picture that is smaller than asked for stays as small.
    """
    from app.rag import previews  # noqa: PLC0415

    wanted = await previews.find(session, principal, document_id, page, width, version)
    headers = {"ETag": wanted.etag, "Cache-Control": "private, no-cache"}
    if if_none_match is not None and matches(if_none_match, wanted.etag):
        return Response(status_code=304, headers=headers)
    return Response(await previews.draw(session, principal, wanted), headers=headers, media_type="image/png")


@router.get("/documents/{document_id}/fields", responses=problems(NotReadYet))
async def read_fields(
    document_id: UUID, principal: Reader, session: SessionDep, kind: FieldKind | None = None
) -> FieldList:
    """Read the dates, sums, numbers and names of a document, each with its place; all, or those of one kind."""
    from app.rag import service  # noqa: PLC0415

    return await service.read_fields(session, principal, document_id, kind)


@router.get("/vaults/{vault_id}/index", responses=problems(VaultNotFound, VaultSealed))
async def read_index(vault_id: UUID, principal: Reader, session: SessionDep) -> IndexRead:
    """See how a vault is indexed, and how much of it stands in clear in the database."""
    from app.rag.pgvector import choosing  # noqa: PLC0415

    return await choosing.read_index(session, principal, vault_id)


@router.put("/vaults/{vault_id}/index", responses=problems(VaultNotFound, VaultSealed, RoleTooLow, PgvectorNotOffered))
async def choose_index(vault_id: UUID, data: IndexUpdate, principal: Writer, session: SessionDep) -> IndexRead:
    """Choose how a vault is indexed. The owner only.

    With `sealed`, as every vault begins, nothing in the database tells what its documents say. With `pgvector` the
    database compares the vectors of passages, which saves memory with very many documents. These vectors stand there
    in clear: whoever gets hold of the database or of its disk learns what the documents are about and can guess at
    what they say. The texts stay sealed. Vectors are copied within a minute or so, and are gone at once when you choose
    `sealed` again; backups never hold them. It is written into the vault's log.
    """
    from app.rag.pgvector import choosing  # noqa: PLC0415

    return await choosing.choose_index(session, principal, vault_id, data.mode)


async def _events(
    settings: Settings, question: str, hits: "Sequence[Hit]", bill: paying.Bill
) -> AsyncGenerator[bytes, None]:
    from app.rag import answering  # noqa: PLC0415

    stream = answering.stream(settings, question, hits)
    async with (
        bill.paid_at_the_end() as sent,
        aclosing(stream) as parts,
        aclosing(waited_for(parts, KEEP_ALIVE_SECONDS)) as waited,
    ):
        async for part in waited:
            if part is None:
                yield b": still working\n\n"
                continue
            sent.append(part)
            if isinstance(part, AnswerRead):
                yield _event("answer", part.model_dump(mode="json"))
            else:
                yield _event("delta", {"text": part})


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
