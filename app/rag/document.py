"""The shapes that travel through reading, indexing and answering."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document version; `number` counts from 1, `text` is what every offset refers to."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of one page: `text == page.text[start:end]`, offsets in characters (code points)."""

    page: int
    start: int
    end: int
    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The document version that pages and chunks come from."""

    document_id: UUID
    version_id: UUID
    vault_id: UUID
    title: str
    language: str = "en"
