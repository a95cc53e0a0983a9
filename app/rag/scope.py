"""All documents that one search goes through, numbered through the shelves they stand on, and so are their chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.rag.document import Source
from app.rag.shelf import Floats32, Shelf

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk without its text: the slice `start:end` of page `page` of its source."""

    source: Source
    page: int
    start: int
    end: int
    heading: str


class Scope:
    """The shelves that have any documents with text on them."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self.shelves = [shelf for shelf in shelves if len(shelf)]
        self.sizes: Ints = _joined([shelf.sizes for shelf in self.shelves])
        self.chunk_terms: Ints = _joined([shelf.chunk_terms for shelf in self.shelves])
        self.first_documents: Ints = np.cumsum([0, *map(len, self.shelves)])
        self.first_chunks: Ints = np.append(0, np.cumsum(self.sizes))

    def __len__(self) -> int:
        """How many chunks there are."""
        return len(self.chunk_terms)

    @property
    def documents(self) -> int:
        return len(self.sizes)

    @cached_property
    def chunk_document(self) -> Ints:
        """The document of each chunk."""
        return np.repeat(np.arange(self.documents), self.sizes)

    @cached_property
    def languages(self) -> frozenset[str]:
        """Those that documents are written in."""
        return frozenset(language for shelf in self.shelves for language in shelf.languages)

    @cached_property
    def order(self) -> Ints:
        """The rank of each document by its version, so that equal passages do not come as the cache happens to be."""
        versions = [revision for shelf in self.shelves for revision in shelf.revisions]
        ranks = np.empty(len(versions), np.int64)
        ranks[sorted(range(len(versions)), key=versions.__getitem__)] = np.arange(len(versions))
        return ranks

    def source(self, document: int) -> Source:
        """Where a document's chunks come from."""
        shelf, at = self._stand(document)
        return shelf.source(at)

    def passage(self, index: int) -> Passage:
        """Where a chunk stands."""
        shelf, document, chunk = self._locate(index)
        return Passage(shelf.source(document), *shelf.place(document, chunk), shelf.heading(document, chunk))

    def best_window(self, index: int, products: Sequence[Floats32 | None]) -> tuple[int, int] | None:
        """The window of a chunk that is most like the last query (characters of the page), if it was compared.

        `products` has those of each shelf.
        """
        shelf, document, chunk = self._locate(index)
        known = products[self.shelves.index(shelf)]
        return None if known is None else shelf.best_window(document, chunk, known[-1])

    def _locate(self, index: int) -> tuple[Shelf, int, int]:
        document = int(self.chunk_document[index])
        return *self._stand(document), index - int(self.first_chunks[document])

    def _stand(self, document: int) -> tuple[Shelf, int]:
        at = int(np.searchsorted(self.first_documents, document, "right")) - 1
        return self.shelves[at], document - int(self.first_documents[at])


def _joined(arrays: Sequence[NDArray[np.int64] | NDArray[np.uint32]]) -> Ints:
    return np.concatenate(arrays).astype(np.int64) if arrays else np.empty(0, np.int64)
