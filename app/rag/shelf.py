"""Opened shards of one vault side by side, so that a question is compared with all of them in a few steps.

The words of all shards stand in one array, the vectors in another; what stands where is known from the headers. A shelf
is never changed: one with other documents is made from it.
"""

from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from app.rag.document import Source
from app.rag.shard import FREQUENCY_BITS, HEADER_WORDS, Counts, Words, sections

ROWS_AT_ONCE = 512
"""So many vectors are widened to 32 bits at a time: they stay in the processor's cache while they are multiplied."""
OVERHEAD_BYTES = 8 * 1024
DOCUMENT_BYTES = 512


Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]


class Shelf:
    """Documents that all have vectors of the model `model_id`, or all none. Made by `ShelfBuilder`."""

    def __init__(
        self, model_id: str | None, revisions: Sequence[bytes], empty: frozenset[bytes], starts: Ints, arrays: Any
    ) -> None:
        self.model_id = model_id
        self.revisions = revisions
        self._empty = empty
        self._starts = starts
        self._words: Words = arrays[0]
        self._levels: NDArray[np.int8] = arrays[1]
        header = self._words[starts[:, None] + np.arange(HEADER_WORDS)].astype(np.int64)
        self._counts = SimpleNamespace(**dict(zip(Counts._fields, header[:, 2:9].T, strict=True)))
        self._counts.rows = (1 + self._counts.windows) * (self._counts.dimensions > 0)
        self._languages = self._words[starts + 9]
        self._at = dict[str, Ints]()
        at = starts + HEADER_WORDS
        for name, length in sections(self._counts):
            self._at[name], at = at, at + length
        self.sizes: Ints = self._counts.chunks
        self.dimensions = int(self._counts.dimensions[0]) if len(starts) else 0
        self.chunk_terms = self._words[spread(self._at["chunk_terms"], self.sizes)]
        self._scales = self._words[spread(self._at["scales"], self._counts.rows)].view(np.float32)
        self._rows_at: Ints = np.cumsum(self._counts.rows) - self._counts.rows
        self._details_known: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        """How many documents with text it holds."""
        return len(self._starts)

    @property
    def rows(self) -> int:
        """How many vectors its documents have."""
        return int(self._counts.rows.sum())

    @property
    def is_bare(self) -> bool:
        """Whether its documents have vectors, but not here: the database compares them (see `pgvector`)."""
        return bool(self.dimensions) and not len(self._levels)

    @property
    def vectors_at(self) -> Ints:
        """Where the products of each document's vectors begin."""
        return self._rows_at

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        arrays = int(self._words.nbytes + self._levels.nbytes + self._scales.nbytes + 4 * self.chunk_terms.nbytes)
        return arrays + OVERHEAD_BYTES + DOCUMENT_BYTES * (len(self.revisions) + len(self._empty))

    @cached_property
    def known(self) -> frozenset[bytes]:
        """The revisions that it was made of; those of documents without text are not in `revisions`."""
        return self._empty.union(self.revisions)

    @cached_property
    def languages(self) -> dict[str, Ints]:
        """The documents in each language."""
        tags = np.unique(self._languages)
        return {_language(tag): np.flatnonzero(self._languages == tag) for tag in tags}

    def entries(self, terms: Words, documents: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Where these words stand in these documents: document, number of the word, its chunk there, how often."""
        found, places = self._look_up(terms, documents)
        document, term = documents[found[0]], found[1]
        at = self._at["postings_at"][document] + places
        begins, ends = self._words[at].astype(np.int64), self._words[at + 1].astype(np.int64)
        counts = ends - begins
        postings = self._words[spread(self._at["postings"][document] + begins, counts)]
        chunk, frequency = postings >> FREQUENCY_BITS, postings & (2**FREQUENCY_BITS - 1)
        return np.repeat(document, counts), np.repeat(term, counts), chunk.astype(np.int64), frequency.astype(np.int64)

    def _look_up(self, terms: Words, documents: Ints) -> tuple[tuple[Ints, ...], Ints]:
        """Pairs of document and word that meet, and the place of the word among the document's; all halved at once."""
        begin, count = self._at["terms"][documents, None], self._counts.terms[documents, None]
        low = np.zeros((len(documents), len(terms)), np.int64)
        high = low + count
        for _ in range(int(count.max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            # A range that is used up looks at the word after the last, which stands in the array but does not count.
            right = (self._words[begin + middle] < terms) & (low < high)
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        found = ((low < count) & (self._words[begin + low] == terms)).nonzero()
        return found, low[found]

    def in_title(self, terms: Words, documents: Ints) -> NDArray[np.bool_]:
        """Which of these words stand in the titles of these documents: documents by words."""
        counts = self._counts.title_terms[documents]
        standing = self._words[spread(self._at["title_terms"][documents], counts)]
        met = (standing[:, None] == terms).nonzero()
        found = np.zeros((len(documents), len(terms)), bool)
        found[np.repeat(np.arange(len(documents)), counts)[met[0]], met[1]] = True
        return found

    def likeness(self, products: Floats32) -> tuple[Floats32, Floats32]:
        """Of every title, and of the best window of every chunk, to each query; queries come first."""
        groups = np.maximum.reduceat(products, self._groups, axis=1)
        titles = np.cumsum(self.sizes + 1) - self.sizes - 1
        return groups[:, titles], np.delete(groups, titles, axis=1)

    @cached_property
    def _groups(self) -> Ints:
        """The first vector of each title and of each chunk."""
        starts = self._words[spread(self._at["window_rows"], self.sizes)].astype(np.int64) + 1
        groups: Ints = np.insert(starts, np.cumsum(self.sizes) - self.sizes, 0)
        groups += np.repeat(self._rows_at, self.sizes + 1)
        return groups

    def products(self, queries: Floats32) -> Floats32:
        """Queries by vectors: of each document the title's, then those of its windows."""
        products = np.empty((len(queries), len(self._levels)), np.float32)
        wide = np.empty((ROWS_AT_ONCE, self.dimensions), np.float32)
        for begin in range(0, len(self._levels), ROWS_AT_ONCE):
            levels = self._levels[begin : begin + ROWS_AT_ONCE]
            rows, end = wide[: len(levels)], begin + len(levels)
            np.copyto(rows, levels)
            # One question at a time: BLAS multiplies a matrix with single vectors faster than with a matrix of two.
            for query, row in zip(queries, products, strict=True):
                np.dot(rows, query, out=row[begin:end])
        products *= self._scales
        return products

    def source(self, document: int) -> Source:
        """Where a document's chunks come from."""
        about = self._details(document)
        document_id, version_id, vault_id = (UUID(hex=each) for each in about["ids"])
        return Source(document_id, version_id, vault_id, about["title"], about["language"])

    def heading(self, document: int, chunk: int) -> str:
        """What a chunk stands under."""
        headings = self._details(document)["headings"]
        text: str = headings[bisect_right(headings, chunk, key=lambda entry: entry[0]) - 1][1]
        return text

    def place(self, document: int, chunk: int) -> tuple[int, int, int]:
        """Page number, start and end of a chunk."""
        at = int(self._at["places"][document]) + 3 * chunk
        page, start, end = self._words[at : at + 3].tolist()
        return page, start, end

    def best_window(self, document: int, chunk: int, products: Floats32) -> tuple[int, int]:
        """The window of a chunk with the greatest of one query's products (characters of the page)."""
        at = int(self._at["window_rows"][document]) + chunk
        begin, end = self._words[at : at + 2].tolist()
        row = int(self._rows_at[document]) + 1 + begin
        best = begin + int(products[row : row + end - begin].argmax())
        at = int(self._at["windows"][document]) + 2 * best
        first, last = self._words[at : at + 2].tolist()
        return first, last

    def first_vectors(self, document: int, count: int) -> Floats32:
        """The vector of a document's title, and those of its first windows."""
        rows = slice(
            int(self._rows_at[document]), int(self._rows_at[document]) + min(count, int(self._counts.rows[document]))
        )
        vectors: Floats32 = self._levels[rows].astype(np.float32) * self._scales[rows, None]
        return vectors

    def _details(self, document: int) -> dict[str, Any]:
        if document not in self._details_known:
            at, length = int(self._at["details"][document]), int(self._counts.details[document])
            words = self._words[at : at + (length + 3) // 4]
            self._details_known[document] = orjson.loads(words.tobytes()[:length])
        return self._details_known[document]

    def pieces(self, wanted: Container[bytes]) -> Iterable[tuple[bytes, Words, NDArray[np.int8]]]:
        """The words and vectors of each of the wanted documents."""
        ends = np.append(self._starts[1:], len(self._words)).tolist()
        rows = np.append(self._rows_at, len(self._levels)).tolist()
        for at, (revision, begin) in enumerate(zip(self.revisions, self._starts.tolist(), strict=True)):
            if revision in wanted:
                yield revision, self._words[begin : ends[at]], self._levels[rows[at] : rows[at + 1]]


def spread(begins: Ints, lengths: Ints) -> Ints:
    """`begins[0], begins[0] + 1, …` and so on: the indexes of several stretches of an array in one."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(begins - before, lengths) + np.arange(int(lengths.sum()))


def _language(tag: np.uint32) -> str:
    return int(tag).to_bytes(4, "little").rstrip(b"\0").decode()
