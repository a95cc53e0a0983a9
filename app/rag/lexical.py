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
        scores: Floats = np.bincount(self.chunk, self.saturation * weight, minlength=len(self.chunk_length))
        return scores.astype(np.float64)  # without a single match numpy counts in integers


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
    sizes = [len(shard) for shard in shards]
    postings, frequencies, counts, numbers, offsets = [], [], [], [], []
    offset = 0
    for index, shard in enumerate(shards):
        ids, places_of = wanted[shard.source.language]
        places = shard.terms.searchsorted(ids)
        found = (shard.terms[places] == ids).nonzero()[0]
        if len(found):
            places, terms = places[found], places_of[found]
            in_title[index, terms] = shard.title_frequencies[places] > 0
            begins, ends = shard.postings_at[places].tolist(), shard.postings_at[places + 1].tolist()
            for begin, end, term in zip(begins, ends, terms.tolist(), strict=True):
                postings.append(shard.postings[begin:end])
                frequencies.append(shard.frequencies[begin:end])
                counts.append(end - begin)
                numbers.append(term)
                offsets.append(offset)
        offset += sizes[index]
    return Matches(
        terms=tuple(names),
        asked=np.array([name in own for name in names], bool),
        chunk_document=np.repeat(np.arange(len(shards)), sizes),
        chunk_length=np.concatenate([shard.chunk_terms for shard in shards]).astype(np.int64),
        chunk=_joined(postings) + np.repeat(np.array(offsets, np.int64), counts),
        term=np.repeat(np.array(numbers, np.int64), counts),
        frequency=_joined(frequencies).astype(np.float64),
        in_title=in_title,
    )


def query_terms(question: str, language: str) -> list[str]:
    return sorted(set(stems(question, language)))


def _joined(arrays: Sequence[NDArray[Any]]) -> Ints:
    return np.concatenate(arrays).astype(np.int64) if arrays else np.empty(0, np.int64)
