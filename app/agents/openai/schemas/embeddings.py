"""Shapes of embeddings."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.agents.openai.schemas.common import ModelName, Short
from app.core.schemas import Clean, RequestModel, ResponseModel, Whole

Embedded = Annotated[str, StringConstraints(min_length=1, max_length=8_000), Clean]


class EmbeddingsRequest(RequestModel):
    """Texts to be turned into vectors; tokens of other models mean nothing here."""

    model: ModelName = Field(examples=["lifevault/embedder"])
    input: Embedded | Annotated[list[Embedded], Field(min_length=1, max_length=64)] = Field(examples=["car insurance"])
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[Whole, Field(ge=1, le=10_000)] | None = Field(default=None, examples=[None])
    user: Short | None = None


class EmbeddingRead(ResponseModel):
    """A vector of length 1, as numbers or as little-endian float32 in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(ResponseModel):
    """Tokens are not counted here."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(ResponseModel):
    """Vectors in the order of the texts."""

    object: Literal["list"]
    data: list[EmbeddingRead]
    model: str
    usage: EmbeddingUsage
