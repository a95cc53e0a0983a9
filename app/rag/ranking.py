"""The one search: a question and the documents that the caller may open in, located passages out, best first.

It comes in three parts: what is asked, then the candidates, then their order. Between the first two the caller has the
database compare vectors that stand there, between the last two it reads the few pages that the candidates stand on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.rag.asked import NOWHERE, Asked, Products, take_apart
from app.rag.confidence import evidence, lead
from app.rag.embedder import Embedder
from app.rag.features import features as features_of
from app.rag.fields.shapes import Field
from app.rag.lexical import Floats
from app.rag.scope import Passage, Scope
from app.rag.segments import Span
from app.rag.signals import Signals, gather
from app.rag.weights import CONFIDENCE, RELEVANCE

Ints = NDArray[np.int64]
PageKey = tuple[UUID, int]
"""The version of a document, and the number of a page."""

NO_FIELDS: Mapping[PageKey, Sequence[Field]] = MappingProxyType({})
CANDIDATES = 50
"""So many of the best by the fused score are looked at closely; on the evaluation set 99 % of what is relevant."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage: `text == page_text[start:end]` (code points) of page `page` (from 1).

    `score` is the estimated chance that this passage answers the question, `answerable` the chance that anything in
    scope does (the same for all hits of a search); `focus` is the part of `text` most like the question, `fields` are
    those that stand in it (their places count from the begin of the page).
    """

    document_id: UUID
    version_id: UUID
    vault_id: UUID
    title: str
    page: int
    start: int
    end: int
    text: str
    score: float
    heading: str = ""
    answerable: float = 0.0
    focus: Span | None = None
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a question is most likely about: the candidates that are looked at closely, best first."""

    signals: Signals
    candidates: NDArray[np.int64]
    passages: Sequence[Passage]

    @property
    def pages(self) -> frozenset[PageKey]:
        """The pages that the candidates stand on."""
        return frozenset((passage.source.version_id, passage.page) for passage in self.passages)


def ask(
    scope: Scope,
    query: str,
    query_vector: NDArray[np.float32] | None,
    limit: int,
    *,
    embedder: Embedder | None = None,
) -> Asked | None:
    """The question, taken apart; None when there is nothing to find.

    `embedder` is what made `query_vector`: with it the part of the question that titles do not answer is embedded too
    (a few milliseconds), and documents indexed by another model are searched by words only. Without `query_vector` it
    is made here; without both the search is by words.
    """
    if not len(scope) or limit < 1:
        return None
    if query_vector is None and embedder is not None:
        query_vector = embedder.embed_query(query)
    return take_apart(scope, query, query_vector, embedder)


def find(asked: Asked | None, limit: int, elsewhere: Products = NOWHERE) -> Found | None:
    """The candidates for the best `limit` passages; `elsewhere` has the products of shelves that are bare."""
    if asked is None:
        return None
    scope, signals = asked.scope, gather(asked, elsewhere)
    candidates = _best(signals.fused, max(CANDIDATES, limit), scope.order[scope.chunk_document])
    return Found(signals, candidates, [scope.passage(index) for index in candidates.tolist()])


def rank(
    found: Found | None,
    pages: Mapping[PageKey, str],
    limit: int,
    *,
    fields: Mapping[PageKey, Sequence[Field]] = NO_FIELDS,
) -> list[Hit]:
    """The best `limit` of the candidates whose pages are there; equal scores keep the order of the candidates."""
    if found is None:
        return []
    texts = [_text(passage, pages) for passage in found.passages]
    there = [at for at, text in enumerate(texts) if text is not None]
    if not there:
        return []
    signals, candidates = found.signals, found.candidates[there]
    relevance = weigh(features_of(signals, candidates, [texts[at] or "" for at in there]), RELEVANCE[signals.dense])
    order = _best(relevance, limit)
    known = evidence(signals, int(candidates[order[0]])) | lead(relevance)
    answerable = _chance(float(weigh(known, CONFIDENCE[signals.dense])))
    chances = [_chance(chance) for chance in relevance[order].tolist()]
    best = [(there[at], chance) for at, chance in zip(order.tolist(), chances, strict=True)]
    return [_hit(found, at, texts[at] or "", chance, answerable, fields) for at, chance in best]


def _text(passage: Passage, pages: Mapping[PageKey, str]) -> str | None:
    page = pages.get((passage.source.version_id, passage.page))
    return None if page is None else page[passage.start : passage.end]


def weigh(values: Mapping[str, Floats | float], weights: Mapping[str, float]) -> Floats:
    """The weighted sum, constant term included; above 0 is more likely than not."""
    return sum((weights[name] * np.asarray(value) for name, value in values.items()), np.asarray(weights[""]))


def _best(scores: Floats, limit: int, order: Ints | None = None) -> Ints:
    """Indexes of the highest scores, best first; equal ones in their order, by `order` first."""
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit < len(scores) else scores.min()
    best = np.flatnonzero(scores >= least)
    keys = (best, -scores[best]) if order is None else (best, order[best], -scores[best])
    return best[np.lexsort(keys)[:limit]]


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-max(logit, -50.0)))


def _hit(
    found: Found, at: int, text: str, score: float, answerable: float, fields: Mapping[PageKey, Sequence[Field]]
) -> Hit:
    passage = found.passages[at]
    source = passage.source
    on_page = fields.get((source.version_id, passage.page), ())
    return Hit(
        document_id=source.document_id,
        version_id=source.version_id,
        vault_id=source.vault_id,
        title=source.title,
        page=passage.page,
        start=passage.start,
        end=passage.end,
        text=text,
        score=score,
        heading=passage.heading,
        answerable=answerable,
        focus=found.signals.focus(int(found.candidates[at]), passage.start),
        fields=tuple(each for each in on_page if passage.start <= each.start and each.end <= passage.end),
    )
