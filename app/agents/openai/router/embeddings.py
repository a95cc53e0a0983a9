"""Embeddings."""

import asyncio
import base64
from typing import Any

from app.agents.openai import names
from app.agents.openai.errors import EmbedderMissing, ModelNotFound, WrongDimensions
from app.agents.openai.router.access import Asker
from app.agents.openai.schemas.embeddings import EmbeddingList, EmbeddingRead, EmbeddingsRequest, EmbeddingUsage
from app.api.deps import SessionDep, SettingsDep
from app.api.problems import problems
from app.api.routes import Router

router = Router()


@router.post("/embeddings", responses=problems(EmbedderMissing, ModelNotFound, WrongDimensions))
async def create_embeddings(
    data: EmbeddingsRequest, _: Asker, session: SessionDep, settings: SettingsDep
) -> EmbeddingList:
    """Turn texts into vectors, as documents are for the search; without `encoding_format` as numbers."""
    from app.rag.embedder import EmbeddingFailed  # noqa: PLC0415  brings NumPy
    from app.rag.engine import embedder_of  # noqa: PLC0415

    await session.commit()  # no connection is held meanwhile
    if data.model != names.EMBEDDER:
        raise ModelNotFound
    embedder = embedder_of(settings)
    if embedder is None:
        raise EmbedderMissing
    if data.dimensions not in (None, embedder.dimensions):
        raise WrongDimensions(f"Vectors have {embedder.dimensions} dimensions here")
    texts = [data.input] if isinstance(data.input, str) else data.input
    try:
        vectors = await asyncio.to_thread(embedder.embed_passages, texts)
    except EmbeddingFailed as error:
        raise EmbedderMissing from error
    rows = [_encoded(vector, data.encoding_format) for vector in vectors]
    entries = [EmbeddingRead(object="embedding", index=index, embedding=row) for index, row in enumerate(rows)]
    usage = EmbeddingUsage(prompt_tokens=0, total_tokens=0)
    return EmbeddingList(object="list", data=entries, model=data.model, usage=usage)


def _encoded(vector: Any, encoding: str | None) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    plain: list[float] = vector.tolist()
    return plain
