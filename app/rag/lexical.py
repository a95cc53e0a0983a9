"""BM25 over the words of all documents in scope at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.rag.scope import Scope
from app.rag.shard import short_id
from app.rag.text import stems

K1 = 1.2
B = 0.75

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """Where the words of a question stand; chunks are numbered through all documents of the scope.

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


def match(scope: Scope, question: str, added: str = "") -> Matches:
    """Looks the words of the question, and `added` ones, up in every document, stemmed in the document's language."""
    own = {term for language in scope.languages for term in stems(question, language)}
    by_language = {language: query_terms(f"{question} {added}", language) for language in scope.languages}
    names = sorted({term for terms in by_language.values() for term in terms})
    ids = {language: np.array([short_id(term) for term in terms], np.uint32) for language, terms in by_language.items()}
    numbers = {language: np.searchsorted(names, terms) for language, terms in by_language.items()}
    in_title = np.zeros((scope.documents, len(names)), bool)
    found: list[tuple[Ints, Ints, Ints]] = []
    for first, shelf in zip(scope.first_documents.tolist(), scope.shelves, strict=False):
        for language, documents in shelf.languages.items():
            in_title[np.ix_(first + documents, numbers[language])] = shelf.in_title(ids[language], documents)
            document, term, chunk, frequency = shelf.entries(ids[language], documents)
            found.append((scope.first_chunks[first + document] + chunk, numbers[language][term], frequency))
    return Matches(
        terms=tuple(names),
        asked=np.array([name in own for name in names], bool),
        chunk_document=scope.chunk_document,
        chunk_length=scope.chunk_terms,
        chunk=np.concatenate([each[0] for each in found]),
        term=np.concatenate([each[1] for each in found]),
        frequency=np.concatenate([each[2] for each in found]).astype(np.float64),
        in_title=in_title,
    )


def query_terms(question: str, language: str) -> list[str]:
    """The different stems of a question, in a stable order."""
    return sorted(set(stems(question, language)))
