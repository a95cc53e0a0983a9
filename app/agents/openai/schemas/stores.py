"""Shapes of files and vector stores: documents and vaults."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from app.agents.openai.schemas.common import Metadata, Share
from app.core.schemas import RequestModel, ResponseModel, ShortText, Whole
from app.rag.schemas import Question

StoreStatus = Literal["completed", "in_progress"]
FileStatus = Literal["completed", "in_progress", "failed", "cancelled"]


class StoreCreate(RequestModel):
    """A new vault of the person's own."""

    name: ShortText = Field(examples=["Insurances"])
    metadata: Annotated[Metadata, Field(max_length=0)] | None = None


class RankingOptions(RequestModel):
    """The least score of a passage that is told."""

    score_threshold: Share | None = None
    ranker: Literal["auto"] | None = None


class StoreSearch(RequestModel):
    """What to look for in a vault."""

    query: Question | Annotated[list[Question], Field(min_length=1, max_length=8)] = Field(
        examples=["car insurance excess"]
    )
    max_num_results: Annotated[Whole, Field(ge=1, le=50)] = 10
    ranking_options: RankingOptions | None = None
    rewrite_query: StrictBool = False

    @property
    def text(self) -> str:
        """All that is asked, as one query."""
        return self.query if isinstance(self.query, str) else " ".join(self.query)[:2_000]


class StoreFileCreate(RequestModel):
    """A document that lies in the vault."""

    file_id: UUID = Field(examples=["01a1fbe8-3eef-7d27-809c-9cfaba724faa"])


class FileCounts(ResponseModel):
    """Documents: `completed` can be searched, `in_progress` can't, or not yet."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class StoreRead(ResponseModel):
    """A vault. `usage_bytes` is not counted for a vault and always 0."""

    id: UUID
    object: Literal["vector_store"]
    created_at: int
    last_active_at: int
    name: str
    status: StoreStatus
    usage_bytes: int
    file_counts: FileCounts
    metadata: dict[str, str]


class StoreList(ResponseModel):
    """Vaults, newest first."""

    object: Literal["list"]
    data: list[StoreRead]
    first_id: UUID | None
    last_id: UUID | None
    has_more: bool


class StoreFault(ResponseModel):
    """Why a document can't be searched."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class StoreFileRead(ResponseModel):
    """A document in a vault."""

    id: UUID
    object: Literal["vector_store.file"]
    created_at: int
    vector_store_id: UUID
    status: FileStatus
    last_error: StoreFault | None
    usage_bytes: int
    attributes: dict[str, str | float | bool]


class StoreFileList(ResponseModel):
    """Documents of a vault, newest first."""

    object: Literal["list"]
    data: list[StoreFileRead]
    first_id: UUID | None
    last_id: UUID | None
    has_more: bool


class FoundText(ResponseModel):
    """The passage."""

    type: Literal["text"]
    text: str


class FoundRead(ResponseModel):
    """A passage: exactly the characters [start, end) of the page that `attributes` tell."""

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
    purpose: Literal["assistants", "user_data"]
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None
    vector_store_id: UUID


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


def ends(data: list[Any]) -> dict[str, UUID | None]:
    """The first and the last id of a page."""
    return {"first_id": data[0].id if data else None, "last_id": data[-1].id if data else None}
