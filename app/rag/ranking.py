"""The one search: a question and the shards that the caller may open in, located passages out, best first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.rag.confidence import evidence
from app.rag.embedder import Embedder
from app.rag.features import features
from app.rag.lexical import Floats
from app.rag.segments import Span
from app.rag.shard import Shard
from app.rag.signals import Signals, gather
from app.rag.weights import CONFIDENCE, RELEVANCE

CANDIDATES = 50
"""So many of the best by the fused score are looked at closely; on the evaluation set 99 % of what is relevant."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage: `text == page_text[start:end]` (code points) of page `page` (from 1).

    `score` is the estimated chance that this passage answers the question, `answerable` the chance that anything in
    scope does (the same for all hits of a search); `focus` is the part of `text` most like the question.
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


def search(
    shards: Sequence[Shard],
    query: str,
    query_vector: NDArray[np.float32] | None,
    limit: int,
    *,
    embedder: Embedder | None = None,
) -> list[Hit]:
    """The best `limit` passages; equal scores keep the order of shards and chunks.

    `embedder` is what made `query_vector`: with it the part of the question that titles do not answer is embedded too
    (a few milliseconds), and shards indexed by another model are searched by words only. Without `query_vector` it is
    made here; without both the search is by words.
    """
    shards = [shard for shard in shards if len(shard)]
    if not shards or limit < 1:
        return []
    if query_vector is None and embedder is not None:
        query_vector = embedder.embed_query(query)
    signals = gather(shards, query, query_vector, embedder)
    candidates = _best(signals.fused, max(CANDIDATES, limit))
    relevance = weigh(features(signals, candidates), RELEVANCE[signals.dense])
    order = _best(relevance, limit)
    known = evidence(signals, int(candidates[order[0]])) | {"relevance": float(relevance[order[0]])}
    answerable = _chance(float(weigh(known, CONFIDENCE[signals.dense])))
    return [_hit(signals, int(candidates[at]), _chance(float(relevance[at])), answerable) for at in order]


def weigh(values: Mapping[str, Floats | float], weights: Mapping[str, float]) -> Floats:
    """The weighted sum, constant term included; above 0 is more likely than not."""
    return sum((weights[name] * np.asarray(value) for name, value in values.items()), np.asarray(weights[""]))


def _best(scores: Floats, limit: int) -> NDArray[np.int64]:
    """Indexes of the highest scores, best first; equal ones in their order."""
    return np.lexsort((np.arange(len(scores)), -scores))[:limit]


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-max(logit, -50.0)))


def _hit(signals: Signals, index: int, score: float, answerable: float) -> Hit:
    shard, chunk = signals.locate(index)
    page, start, end, text = shard.chunk(chunk)
    source = shard.source
    return Hit(
        document_id=source.document_id,
        version_id=source.version_id,
        vault_id=source.vault_id,
        title=source.title,
        page=page,
        start=start,
        end=end,
        text=text,
        score=score,
        heading=shard.headings[chunk],
        answerable=answerable,
        focus=signals.focus(shard, chunk, start),
    )
