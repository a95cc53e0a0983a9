"""Documents that can be searched without a database: their shards, and the pages beside them."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.rag.document import Chunk, Page, Source
from app.rag.embedder import Embedder
from app.rag.fields.extract import extract
from app.rag.fields.shapes import Field
from app.rag.ranking import Hit, PageKey, ask, find, rank
from app.rag.scope import Scope
from app.rag.shard import build_shard
from app.rag.shelving import open_shelves


@dataclass(frozen=True)
class Paper:
    """One document version."""

    source: Source
    pages: tuple[Page, ...]
    shard: bytes


class Library:
    """Opened papers; those of one model keep their order."""

    def __init__(self, papers: Iterable[Paper]) -> None:
        papers = list(papers)
        self._shards = [paper.shard for paper in papers]
        self.scope = Scope(open_shelves(self._shards))
        self.pages = {(paper.source.version_id, page.number): page.text for paper in papers for page in paper.pages}
        self.fields: dict[PageKey, list[Field]] = {}
        for paper in {paper.source.version_id: paper for paper in papers}.values():
            found = extract(paper.pages, paper.source.language)
            self.fields |= {(paper.source.version_id, number): fields for number, fields in found.items()}

    def reopened(self) -> "Library":
        """The same, its indexes opened again; pages and fields, which the product keeps beside them, stay."""
        again = copy(self)
        again.scope = Scope(open_shelves(self._shards))
        return again

    def search(
        self, query: str, vector: NDArray[np.float32] | None, limit: int, *, embedder: Embedder | None = None
    ) -> list[Hit]:
        found = find(ask(self.scope, query, vector, limit, embedder=embedder), limit)
        return rank(found, self.pages, limit, fields=self.fields)


def make_paper(
    source: Source,
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32] | None,
    model: str | None,
) -> Paper:
    """A paper with its shard."""
    return Paper(source, tuple(pages), build_shard(source, pages, chunks, vectors, model))


def search(
    papers: Iterable[Paper],
    query: str,
    vector: NDArray[np.float32] | None,
    limit: int,
    *,
    embedder: Embedder | None = None,
) -> list[Hit]:
    """As `Library.search`, in papers that are opened for this question."""
    return Library(papers).search(query, vector, limit, embedder=embedder)
