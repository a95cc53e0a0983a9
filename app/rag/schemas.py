"""Shapes of searching and answering."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from app.core.schemas import Clean, RequestModel, ResponseModel, Whole
from app.rag.fields.shapes import FieldKind

Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), Clean]
IndexMode = Literal["sealed", "pgvector"]
VaultIds = Annotated[list[UUID], Field(min_length=1, max_length=100)]


class SearchRequest(RequestModel):
    """What to look for; without `vault_ids` in all vaults of the caller."""

    query: Question = Field(examples=["car insurance excess"])
    vault_ids: VaultIds | None = Field(default=None, examples=[None])
    limit: Whole = Field(default=10, ge=1, le=50)


class HitRead(ResponseModel):
    """A passage: the characters [start, end) of a page of a document; `text` is exactly what stands there."""

    document_id: UUID
    version_id: UUID
    vault_id: UUID
    title: str
    page: int = Field(description="Counts from 1.")
    start: int
    end: int
    text: str
    heading: str
    score: float


class SearchResult(ResponseModel):
    """Passages, best first."""

    hits: list[HitRead]


class AskRequest(RequestModel):
    """A question about the caller's own documents."""

    question: Question = Field(examples=["What is the excess on our car insurance?"])
    vault_ids: VaultIds | None = Field(default=None, examples=[None])
    stream: StrictBool = Field(default=False, description="Answer as server-sent events.")


class CitationRead(ResponseModel):
    """Where a statement stands: `quote` is exactly the characters [start, end) of that page."""

    document_id: UUID
    version_id: UUID
    title: str
    page: int
    start: int
    end: int
    quote: str


class NearestRead(ResponseModel):
    """A document that comes near to the question without answering it."""

    document_id: UUID
    title: str


class Usage(ResponseModel):
    """What the answer took. Tokens are 0 unless a language model was asked."""

    model: str = Field(
        description="Who answered: the configured model, or `built-in extractive` when there is none, when it did not "
        "answer, or when nothing that it wrote could be proven; both when it broke off."
    )
    passages: int
    prompt_tokens: int
    completion_tokens: int


class AnswerRead(ResponseModel):
    """An answer with its evidence; `found` is false when the documents do not say."""

    found: bool
    answer: str
    citations: list[CitationRead]
    nearest: list[NearestRead]
    usage: Usage


class PageRead(ResponseModel):
    """The text of a page as it was read; citations and hits count its characters (Unicode code points)."""

    document_id: UUID
    version_id: UUID
    page: int
    text: str


class FieldRead(ResponseModel):
    """A value that stands in a document: `text` is exactly the characters [start, end) of that page."""

    kind: FieldKind
    role: str = Field(
        description="What the value is for its document: of a date `issued`, `starts`, `expires`, `renews`, `due` or "
        "`born`, of a number `policy`, `contract`, `customer` or `identity`, of an amount `premium` or `excess`, of a "
        "name `holder` or `insurer`, and more; `other` if nothing tells.",
        examples=["expires"],
    )
    label: str = Field(description="The words that introduce it, as they stand there.", examples=["Date of expiry"])
    value: str = Field(
        description="What it means: a date as `2031-05-31` (`2031-05` without a day), an amount as `1234.50`, a number "
        "without spaces, a telephone number as digits.",
        examples=["2031-05-31"],
    )
    currency: str | None = Field(description="ISO 4217, if the document says it.")
    text: str = Field(examples=["31 May 2031"])
    page: int = Field(description="Counts from 1.")
    start: int
    end: int
    confidence: float = Field(description="An estimate, 0 to 1.")
    checksum: bool | None = Field(description="Whether its check digits fit; null where there are none.")


class FieldList(ResponseModel):
    """The fields of a document, in its order; at most 2,000."""

    document_id: UUID
    version_id: UUID
    items: list[FieldRead]


class ReadingState(ResponseModel):
    """What is searchable of a document."""

    document_id: UUID
    version_id: UUID
    pages: int
    pages_unread: list[int] = Field(
        description="Pages of which nothing or not all could be read: broken, or pictures that OCR did not reach."
    )
    chunks: int
    model_id: str | None = Field(description="What made its vectors; null while it is searched by words alone.")


class IndexUpdate(RequestModel):
    """How to index a vault."""

    mode: IndexMode = Field(
        examples=["sealed"],
        description="`pgvector` leaves the vectors of all passages in clear in the database: whoever reads it learns "
        "what the documents are about, and can guess at sentences. `sealed` deletes them there.",
    )


class IndexRead(ResponseModel):
    """How a vault is indexed: sealed, or with its vectors in clear in the database, which the owner alone chooses."""

    vault_id: UUID
    mode: IndexMode = Field(description="What the owner has chosen.")
    offered: bool = Field(description="Whether this installation offers `pgvector`; if not, all vectors are sealed.")
    documents: int = Field(description="How many documents can be searched.")
    in_clear: int = Field(description="Of these, how many have their vectors in clear in the database now.")
