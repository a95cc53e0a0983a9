"""Everything that is known about every chunk in scope before the few best are looked at closely."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.rag.asked import NOWHERE, Asked, Products
from app.rag.lexical import Floats, Matches
from app.rag.scope import Scope
from app.rag.segments import Span
from app.rag.shelf import Floats32

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
    products: Sequence[Floats32 | None]

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
        window = self.scope.best_window(index, self.products)
        return window and (window[0] - chunk_start, window[1] - chunk_start)

    def filled(self, likeness: Floats) -> Floats:
        """Scaled; chunks without comparable vectors get their lexical score instead."""
        known = np.isfinite(likeness)
        result = self.words.copy()
        if known.any():
            result[known] = scaled(likeness[known])
        return result


def gather(asked: Asked, elsewhere: Products = NOWHERE) -> Signals:
    """Everything that is measured between a question and each chunk; `elsewhere` has the products of bare shelves."""
    scope, matches = asked.scope, asked.matches
    idf, own = matches.idf, matches.asked
    products = asked.products(elsewhere)
    dense = _dense(scope, products)
    return Signals(
        scope=scope,
        question=asked.question,
        residual=asked.residual,
        matches=matches,
        title_words=asked.titles[matches.chunk_document],
        body_words=matches.body(idf * own),
        residual_words=matches.body(idf * own * ~matches.in_title),
        added_words=matches.body(idf * ~own * ~matches.in_title),
        title_likeness=dense[0],
        likeness=dense[1],
        residual_likeness=dense[2],
        products=products,
    )


def _dense(scope: Scope, products: Sequence[Floats32 | None]) -> Floats:
    """Rows: likeness of the title, of the best window to the question, of the best window to its residual."""
    likeness = np.full((3, len(scope)), np.nan)
    begin = 0
    for shelf, known in zip(scope.shelves, products, strict=True):
        end = begin + len(shelf.chunk_terms)
        if known is not None:
            titles, windows = shelf.likeness(known)
            likeness[0, begin:end], likeness[1:, begin:end] = np.repeat(titles[0], shelf.sizes), windows
        begin = end
    return likeness


def scaled(scores: Floats) -> Floats:
    """Linear: the best becomes 1, the one at `DEPTH` 0; all 0 when they are equal."""
    depth = max(len(scores) - DEPTH, 0)
    low, high = np.partition(scores, depth)[depth], scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)
