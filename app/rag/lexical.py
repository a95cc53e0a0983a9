"""BM25 over the words of every opened shard at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.rag.shard import Shard
from app.rag.text import stems, term_id

K1 = 1.2
B = 0.75

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """Where the words of a question stand in a set of shards; chunks are numbered through all shards in order.

    `asked` tells the question's own words from those that the thesaurus added. `chunk`, `term` and `frequency` are
    parallel, one entry for each word found in a chunk's body; `in_title` is documents by terms.
    """

    terms: tuple[str, ...]
    asked: NDArray[np.bool_]
    chunk_document: Ints
    chunk_length: Ints
    chunk: Ints
    term: Ints
    frequency: Floats
    in_title: NDArray[np.bool_]

    @property
    def documents(self) -> int:
        return len(self.in_title)

    @cached_property
    def idf(self) -> Floats:
        """Per term, over chunks that hold it in body or title."""
        return rarity(np.bincount(self.term, minlength=len(self.terms)), len(self.chunk_length))

    @cached_property
    def title_idf(self) -> Floats:
        """Per term, over documents that hold it in title or body."""
        holds = self.in_title.copy()
        holds[self.chunk_document[self.chunk], self.term] = True
        return rarity(holds.sum(axis=0), self.documents)

    @cached_property
    def saturation(self) -> Floats:
        """The BM25 share (0 to 1 + k1) of each entry, without its idf."""
        average = self.chunk_length.mean() or 1.0
        length = self.chunk_length[self.chunk] / average
        return self.frequency * (K1 + 1) / (self.frequency + K1 * (1 - B + B * length))

    def body(self, weights: Floats) -> Floats:
        """Score of every chunk; `weights` is one a term, or documents by terms."""
        weight = weights[self.term] if weights.ndim == 1 else weights[self.chunk_document[self.chunk], self.term]
        return np.asarray(np.bincount(self.chunk, self.saturation * weight, len(self.chunk_length)), np.float64)


def rarity(found: Ints, total: int) -> Floats:
    """The weight of words that stand in `found` of `total` texts (the idf of BM25, Robertson and Zaragoza 2009)."""
    return np.log1p((total - found + 0.5) / (found + 0.5))


def match(shards: Sequence[Shard], question: str, added: str = "") -> Matches:
    """Looks the words of the question, and `added` ones, up in every shard, stemmed in the shard's own language."""
    languages = {shard.source.language for shard in shards}
    own = {term for language in languages for term in stems(question, language)}
    by_language = {language: query_terms(f"{question} {added}", language) for language in languages}
    names = sorted({term for terms in by_language.values() for term in terms})
    number = {term: index for index, term in enumerate(names)}
    ids = {language: np.array([term_id(term) for term in terms], np.uint64) for language, terms in by_language.items()}
    numbers = {language: np.array([number[t] for t in terms], np.int64) for language, terms in by_language.items()}
    entries = _Entries(len(shards), len(names))
    for index, shard in enumerate(shards):
        entries.read(index, shard, ids[shard.source.language], numbers[shard.source.language])
    counts = [len(postings) for postings in entries.postings]
    sizes = [len(shard) for shard in shards]
    return Matches(
        terms=tuple(names),
        asked=np.array([name in own for name in names], bool),
        chunk_document=np.repeat(np.arange(len(shards)), sizes),
        chunk_length=_joined([shard.chunk_terms for shard in shards]),
        chunk=_joined(entries.postings) + np.repeat(np.array(entries.offsets, np.int64), counts),
        term=np.repeat(np.array(entries.numbers, np.int64), counts),
        frequency=_joined(entries.frequencies).astype(np.float64),
        in_title=entries.in_title,
    )


class _Entries:
    """What the shards say about the words, one list entry for every shard and word that meet."""

    def __init__(self, documents: int, terms: int) -> None:
        self.in_title = np.zeros((documents, terms), bool)
        self.postings: list[NDArray[np.uint32]] = []
        self.frequencies: list[NDArray[np.uint8]] = []
        self.numbers: list[int] = []
        self.offsets: list[int] = []
        self._offset = 0

    def read(self, index: int, shard: Shard, ids: NDArray[np.uint64], numbers: Ints) -> None:
        places = shard.terms.searchsorted(ids)
        found = (shard.terms[places] == ids).nonzero()[0]
        if len(found):
            places, numbers = places[found], numbers[found]
            self.in_title[index, numbers] = shard.title_frequencies[places] > 0
            begins, ends = shard.postings_at[places].tolist(), shard.postings_at[places + 1].tolist()
            self.postings += [shard.postings[begin:end] for begin, end in zip(begins, ends, strict=True)]
            self.frequencies += [shard.frequencies[begin:end] for begin, end in zip(begins, ends, strict=True)]
            self.numbers += numbers.tolist()
            self.offsets += [self._offset] * len(found)
        self._offset += len(shard)


def query_terms(question: str, language: str) -> list[str]:
    """The different stems of a question, in a stable order."""
    return sorted(set(stems(question, language)))


def _joined(arrays: Sequence[NDArray[Any]]) -> Ints:
    return np.concatenate(arrays).astype(np.int64) if arrays else np.empty(0, np.int64)
