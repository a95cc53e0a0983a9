"""A question taken apart: its words where they stand, and the vectors that documents are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from app.rag import lexical
from app.rag.embedder import Embedder
from app.rag.lexical import Floats, Matches
from app.rag.residual import residual_question
from app.rag.scope import Scope
from app.rag.segments import sentences
from app.rag.shelf import Floats32, Shelf
from app.rag.thesaurus import document_words

Products = Mapping[Shelf, Floats32]
"""The products of shelves that are bare: queries by vectors."""
NOWHERE: Products = MappingProxyType({})


@dataclass(frozen=True)
class Asked:
    """What is known of a question in a scope before any vectors are compared.

    `titles` has one number a document; `queries` are the question and its residual, None when there is no embedder.
    """

    scope: Scope
    question: str
    residual: str
    matches: Matches
    titles: Floats
    queries: NDArray[np.float32] | None
    model_id: str | None

    def compares(self, shelf: Shelf) -> bool:
        """Whether the vectors of a shelf are of the same model."""
        if self.queries is None:
            return False
        return shelf.dimensions == self.queries.shape[1] and self.model_id in (None, shelf.model_id)

    def products(self, elsewhere: Products) -> Sequence[Floats32 | None]:
        """Those of each shelf of the scope; None where there is nothing to compare."""
        return [self._products(shelf, elsewhere) for shelf in self.scope.shelves]

    def _products(self, shelf: Shelf, elsewhere: Products) -> Floats32 | None:
        if self.queries is None or not self.compares(shelf):
            return None
        return elsewhere.get(shelf) if shelf.is_bare else shelf.products(self.queries)


def take_apart(
    scope: Scope, question: str, query_vector: NDArray[np.float32] | None, embedder: Embedder | None
) -> Asked:
    """The question in a scope that has at least one chunk."""
    added = document_words(asking_part(question))
    matches = lexical.match(scope, question, added)
    titles = (matches.in_title * (matches.title_idf * matches.asked)).sum(axis=1)
    best = scope.source(int(titles.argmax()))
    residual = residual_question(question, best.title, best.language) if titles.max() > 0 else question
    narrowed = f"{residual} {added}".strip()
    queries = [] if query_vector is None else [query_vector]
    if queries and embedder is not None and narrowed != question:
        queries.append(embedder.embed_query(narrowed))
    # Without a second question the first one stands for both.
    both = np.stack([queries[0], queries[-1]]) if queries else None
    return Asked(scope, question, residual, matches, titles, both, embedder.model_id if embedder else None)


def asking_part(question: str) -> str:
    """The last sentence: people tell their situation first and ask then."""
    spans = sentences(question)
    return question[slice(*spans[-1])] if spans else question
