"""Everything that is known about every chunk in scope before the few best are looked at closely."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.rag import lexical
from app.rag.embedder import Embedder
from app.rag.lexical import Floats, Matches
from app.rag.residual import residual_question
from app.rag.scope import Scope
from app.rag.segments import Span, sentences
from app.rag.thesaurus import document_words

DEPTH = 200
"""Scores are scaled so that the best is 1 and the one at this depth is 0, before they are added."""

TITLE_WEIGHT = 3.0


@dataclass(frozen=True)
class Signals:
    """Arrays with one number a chunk; the three likenesses are NaN where there are no comparable vectors."""

    scope: Scope
    question: str
    residual: str
    matches: Matches
    title_words: Floats
    body_words: Floats
    residual_words: Floats
    added_words: Floats
    title_likeness: Floats
    likeness: Floats
    residual_likeness: Floats
    queries: NDArray[np.float32] | None

    @cached_property
    def words(self) -> Floats:
        return scaled(TITLE_WEIGHT * self.title_words + self.residual_words)

    @cached_property
    def fused(self) -> Floats:
        added = scaled(self.added_words)
        dense = ((0.3, self.title_likeness), (1.0, self.likeness), (0.5, self.residual_likeness))
        return self.words + 0.5 * added + sum(weight * self.filled(values) for weight, values in dense)

    @cached_property
    def support(self) -> Floats:
        """How much of what is rare in the question stands in the chunk or its title, 0 to 1."""
        matches = self.matches
        rare = matches.title_idf * matches.asked
        found = matches.in_title[matches.chunk_document]
        found[matches.chunk, matches.term] = True
        share: Floats = (found * rare).sum(axis=1) / max(rare.sum(), 1e-9)
        return share

    @property
    def dense(self) -> bool:
        """Whether any chunk could be compared by vectors."""
        return bool(np.isfinite(self.likeness).any())

    def focus(self, index: int, chunk_start: int) -> Span | None:
        """The window of the chunk that is most like the question, relative to the chunk's start."""
        window = None if self.queries is None else self.scope.best_window(index, self.queries[-1])
        return window and (window[0] - chunk_start, window[1] - chunk_start)

    def filled(self, likeness: Floats) -> Floats:
        """Scaled; chunks without comparable vectors get their lexical score instead."""
        known = np.isfinite(likeness)
        result = self.words.copy()
        if known.any():
            result[known] = scaled(likeness[known])
        return result


def gather(scope: Scope, question: str, query_vector: NDArray[np.float32] | None, embedder: Embedder | None) -> Signals:
    """Everything that is measured between a question and each chunk in scope, which has at least one."""
    added = document_words(asking_part(question))
    matches = lexical.match(scope, question, added)
    idf, asked = matches.idf, matches.asked
    titles = (matches.in_title * (matches.title_idf * asked)).sum(axis=1)
    best = scope.source(int(titles.argmax()))
    residual = residual_question(question, best.title, best.language) if titles.max() > 0 else question
    narrowed = f"{residual} {added}".strip()
    queries = [] if query_vector is None else [query_vector]
    if queries and embedder is not None and narrowed != question:
        queries.append(embedder.embed_query(narrowed))
    # Without a second question the first one stands for both.
    both = np.stack([queries[0], queries[-1]]) if queries else None
    dense = _dense(scope, both, embedder.model_id if embedder else None)
    return Signals(
        scope=scope,
        question=question,
        residual=residual,
        matches=matches,
        title_words=titles[matches.chunk_document],
        body_words=matches.body(idf * asked),
        residual_words=matches.body(idf * asked * ~matches.in_title),
        added_words=matches.body(idf * ~asked * ~matches.in_title),
        title_likeness=dense[0],
        likeness=dense[1],
        residual_likeness=dense[2],
        queries=both,
    )


def asking_part(question: str) -> str:
    """The last sentence: people tell their situation first and ask then."""
    spans = sentences(question)
    return question[slice(*spans[-1])] if spans else question


def _dense(scope: Scope, queries: NDArray[np.float32] | None, model_id: str | None) -> Floats:
    """Rows: likeness of the title, of the best window to the question, of the best window to its residual."""
    likeness = np.full((3, len(scope)), np.nan)
    if queries is None:
        return likeness
    begin = 0
    for shelf in scope.shelves:
        end = begin + len(shelf.chunk_terms)
        if shelf.dimensions == queries.shape[1] and model_id in (None, shelf.model_id):
            titles, windows = shelf.likeness(queries)
            likeness[0, begin:end], likeness[1:, begin:end] = np.repeat(titles[0], shelf.sizes), windows
        begin = end
    return likeness


def scaled(scores: Floats) -> Floats:
    """Linear: the best becomes 1, the one at `DEPTH` 0; all 0 when they are equal."""
    depth = max(len(scores) - DEPTH, 0)
    low, high = np.partition(scores, depth)[depth], scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)
