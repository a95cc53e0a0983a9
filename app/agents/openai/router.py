"""`/openai/v1`: the interface that clients of OpenAI speak, answered from the caller's own documents."""

import asyncio
import base64
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Security
from starlette.responses import Response, StreamingResponse

from app.agents.openai import answers, stores
from app.agents.openai.errors import EmbedderMissing
from app.agents.openai.schemas import (
    ChatRead,
    ChatRequest,
    EmbeddingList,
    EmbeddingRead,
    EmbeddingsRequest,
    EmbeddingUsage,
    ModelList,
    ModelRead,
)
from app.api.deps import SessionDep, SettingsDep, get_principal
from app.api.openapi import event_stream
from app.api.problems import problems
from app.auth.principal import Principal
from app.core.errors import NotFound
from app.payments.errors import PlanLimitReached
from app.rag import paying

CREATED = 1_767_225_600  # 2026-01-01
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
CHUNKS = event_stream(message={"type": "object"})

router = APIRouter(prefix="/openai/v1", tags=["openai"])
Asker = Annotated[Principal, Security(get_principal, scopes=["rag:ask"])]


class ModelNotFound(NotFound):
    """No such model."""

    title = "There is no such model"


MODELS = [
    ModelRead(id=name, object="model", created=CREATED, owned_by="lifevault")
    for name in ("lifevault", "lifevault-embedding")
]


@router.get("/models")
async def list_models(_: Asker) -> ModelList:
    """List the models."""
    return ModelList(object="list", data=MODELS)


@router.get("/models/{model}", responses=problems(ModelNotFound))
async def read_model(model: Annotated[str, Path(max_length=100)], _: Asker) -> ModelRead:
    """Read a model."""
    for each in MODELS:
        if each.id == model:
            return each
    raise ModelNotFound


@router.post(
    "/chat/completions", response_model=ChatRead, responses={200: {"content": CHUNKS}, **problems(PlanLimitReached)}
)
async def create_chat_completion(
    data: ChatRequest, principal: Asker, session: SessionDep, settings: SettingsDep, after: BackgroundTasks
) -> ChatRead | Response:
    """Answer the last question from your documents; citations are `annotations`. Costs what `/v1/rag/ask` costs."""
    from app.rag import answering, service  # noqa: PLC0415  brings NumPy

    question = answers.question_of(data)
    bill = await paying.open_bill(session, principal, settings)
    async with bill.void_on_failure():
        hits = await service.search(session, principal, question, answering.HITS)
        if data.stream:
            usage = data.stream_options is not None and data.stream_options.include_usage
            parts = answering.stream(settings, question, hits)
            sent = answers.chunks(parts, data.model, bill, usage=usage)
            return StreamingResponse(sent, media_type="text/event-stream", headers=HEADERS)
        answer = await answering.answer(settings, question, hits)
    after.add_task(bill.pay, answer.usage)
    return answers.completion(answer, data.model)


@router.post("/embeddings", responses=problems(EmbedderMissing))
async def create_embeddings(
    data: EmbeddingsRequest, _: Asker, session: SessionDep, settings: SettingsDep
) -> EmbeddingList:
    """Turn texts into vectors, as documents are."""
    from app.rag.embedder import EmbeddingFailed  # noqa: PLC0415  brings NumPy
    from app.rag.engine import embedder_of  # noqa: PLC0415

    await session.commit()  # no connection is held meanwhile
    embedder = embedder_of(settings)
    if embedder is None:
        raise EmbedderMissing
    texts = [data.input] if isinstance(data.input, str) else data.input
    try:
        vectors = await asyncio.to_thread(embedder.embed_passages, texts)
    except EmbeddingFailed as error:
        raise EmbedderMissing from error
    plain = data.encoding_format == "float"
    rows = [v.tolist() if plain else base64.b64encode(v.astype("<f4").tobytes()).decode() for v in vectors]
    entries = [EmbeddingRead(object="embedding", index=index, embedding=row) for index, row in enumerate(rows)]
    usage = EmbeddingUsage(prompt_tokens=0, total_tokens=0)
    return EmbeddingList(object="list", data=entries, model=data.model, usage=usage)


router.include_router(stores.router)
