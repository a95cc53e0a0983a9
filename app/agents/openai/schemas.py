"""Shapes of the interface that clients of OpenAI speak; only what is honoured here is accepted."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from app.core.schemas import Clean, RequestModel, ResponseModel, Whole
from app.rag.schemas import Question

MODEL = "lifevault"
ModelName = Annotated[Literal["lifevault"], Field(examples=[MODEL])]
EmbedderName = Annotated[Literal["lifevault-embedding"], Field(examples=["lifevault-embedding"])]
Text = Annotated[str, StringConstraints(max_length=100_000), Clean]
Embedded = Annotated[str, StringConstraints(min_length=1, max_length=8_000), Clean]


class TextPart(RequestModel):
    """A part of a message."""

    type: Literal["text"]
    text: Text


class Message(RequestModel):
    """What was said; the last message of the user is the question, the others are not instructions here."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=100)]


class StreamOptions(RequestModel):
    """Whether the last chunk tells the usage."""

    include_usage: StrictBool = False


class ChatRequest(RequestModel):
    """A conversation whose last question is answered from the caller's documents."""

    model: ModelName
    messages: Annotated[list[Message], Field(min_length=1, max_length=200)] = Field(
        examples=[[{"role": "user", "content": "What is the excess on our car insurance?"}]]
    )
    stream: StrictBool = False
    stream_options: StreamOptions | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=0)] | None = Field(
        default=None, description="Tools of the caller are not offered.", examples=[None]
    )
    n: Whole = Field(default=1, ge=1, le=1)


class EmbeddingsRequest(RequestModel):
    """Texts to be turned into vectors."""

    model: EmbedderName
    input: Embedded | Annotated[list[Embedded], Field(min_length=1, max_length=64)] = Field(examples=["car insurance"])
    encoding_format: Literal["float", "base64"] = "float"


class StoreSearch(RequestModel):
    """What to look for in a vault."""

    query: Question = Field(examples=["car insurance excess"])
    max_num_results: Whole = Field(default=10, ge=1, le=50)


class ModelRead(ResponseModel):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(ResponseModel):
    """Every model."""

    object: Literal["list"]
    data: list[ModelRead]


class UrlCitation(ResponseModel):
    """The marker in the answer, and the page that proves it."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(ResponseModel):
    """A citation."""

    type: Literal["url_citation"]
    url_citation: UrlCitation


class Reply(ResponseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Annotation]


class Choice(ResponseModel):
    """The one answer."""

    index: int
    message: Reply
    logprobs: None
    finish_reason: Literal["stop"]


class Tokens(ResponseModel):
    """Tokens of a language model; 0 when none was asked."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatRead(ResponseModel):
    """An answer with its evidence."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Tokens


class EmbeddingRead(ResponseModel):
    """A vector, as numbers or as little-endian float32 in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(ResponseModel):
    """Not counted: the built-in embedder costs nothing."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(ResponseModel):
    """Vectors in the order of the texts."""

    object: Literal["list"]
    data: list[EmbeddingRead]
    model: str
    usage: EmbeddingUsage


class FileCounts(ResponseModel):
    """Counts of files are not kept for vaults; always 0."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class StoreRead(ResponseModel):
    """A vault."""

    id: UUID
    object: Literal["vector_store"]
    created_at: int
    name: str
    status: Literal["completed"]
    usage_bytes: int
    file_counts: FileCounts


class StoreList(ResponseModel):
    """Vaults, newest first."""

    object: Literal["list"]
    data: list[StoreRead]
    first_id: UUID | None
    last_id: UUID | None
    has_more: bool


class FoundText(ResponseModel):
    """The passage."""

    type: Literal["text"]
    text: str


class FoundRead(ResponseModel):
    """A passage that was found; `attributes` tell its place."""

    file_id: UUID
    filename: str
    score: float
    attributes: dict[str, str | float]
    content: list[FoundText]


class FoundPage(ResponseModel):
    """Passages, best first."""

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[FoundRead]
    has_more: bool
    next_page: None


class FileRead(ResponseModel):
    """A document."""

    id: UUID
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["assistants"]
    status: Literal["processed"]


class FileList(ResponseModel):
    """Documents, newest first."""

    object: Literal["list"]
    data: list[FileRead]
    first_id: UUID | None
    last_id: UUID | None
    has_more: bool


class FileDeleted(ResponseModel):
    """What went to the trash."""

    id: UUID
    object: Literal["file"]
    deleted: bool
