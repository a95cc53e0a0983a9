"""BM25 over the words of every opened shard at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
        return np.bincount(self.chunk, self.saturation * weight, minlength=len(self.chunk_length))


def rarity(found: Ints, total: int) -> Floats:
    return np.log1p((total - found + 0.5) / (found + 0.5))


def match(shards: Sequence[Shard], question: str, added: str = "") -> Matches:
    """Looks the words of the question, and `added` ones, up in every shard, stemmed in the shard's own language."""
    languages = {shard.source.language for shard in shards}
    own = {term for language in languages for term in stems(question, language)}
    by_language = {language: query_terms(f"{question} {added}", language) for language in languages}
    names = sorted({term for terms in by_language.values() for term in terms})
    number = {term: index for index, term in enumerate(names)}
    wanted = {
        language: (np.array([term_id(t) for t in terms], np.uint64), np.array([number[t] for t in terms], np.int64))
        for language, terms in by_language.items()
    }
    in_title = np.zeros((len(shards), len(names)), bool)
    entries: list[tuple[NDArray[np.uint32], int, int, NDArray[np.uint8]]] = []
    offset = 0
    for index, shard in enumerate(shards):
        ids, numbers = wanted[shard.source.language]
        in_title[index, numbers[shard.find_in_title(ids) >= 0]] = True
        places = shard.find(ids)
        for place, term in zip(places.tolist(), numbers.tolist(), strict=True):
            if place >= 0:
                chunks, frequencies = shard.postings(place)
                entries.append((chunks, offset, term, frequencies))
        offset += len(shard)
    sizes = [len(entry[0]) for entry in entries]
    return Matches(
        terms=tuple(names),
        asked=np.array([name in own for name in names], bool),
        chunk_document=np.repeat(np.arange(len(shards)), [len(shard) for shard in shards]),
        chunk_length=_joined([shard.chunk_terms for shard in shards]).astype(np.int64),
        chunk=_joined([entry[0] for entry in entries]).astype(np.int64)
        + np.repeat(np.array([entry[1] for entry in entries], np.int64), sizes),
        term=np.repeat(np.array([entry[2] for entry in entries], np.int64), sizes),
        frequency=_joined([entry[3] for entry in entries]).astype(np.float64),
        in_title=in_title,
    )


def query_terms(question: str, language: str) -> list[str]:
    return sorted(set(stems(question, language)))


def _joined(arrays: Sequence[NDArray[np.uint32] | NDArray[np.uint8]]) -> NDArray[np.uint32]:
    return np.concatenate(arrays).astype(np.uint32) if arrays else np.empty(0, np.uint32)
