"""What is known about a candidate passage, as numbers that need no further model: the input of the re-rank."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.rag.lexical import Floats
from app.rag.signals import Signals, scaled
from app.rag.values import holds, wanted

Candidates = NDArray[np.int64]


def features(signals: Signals, candidates: Candidates, texts: Sequence[str]) -> dict[str, Floats]:
    """One array a feature, one number a candidate; `candidates` are numbers of chunks, `texts` what they say."""
    return {
        **_scores(signals, candidates),
        **_coverage(signals, candidates),
        **_comparisons(signals, candidates),
        "typed": _typed(signals, texts),
    }


def _scores(signals: Signals, candidates: Candidates) -> dict[str, Floats]:
    everywhere = {
        "fused": signals.fused,
        "body_words": scaled(signals.body_words),
        "likeness": _known(signals.likeness),
        "likeness_scaled": scaled(signals.filled(signals.likeness)),
        "residual_likeness": _known(signals.residual_likeness),
        "residual_likeness_scaled": scaled(signals.filled(signals.residual_likeness)),
    }
    return {name: values[candidates] for name, values in everywhere.items()}


def _known(likeness: Floats) -> Floats:
    """Chunks without vectors count as average ones, or as 0 when no chunk has any."""
    known = np.isfinite(likeness)
    return np.where(known, likeness, likeness[known].mean() if known.any() else 0.0)


def _coverage(signals: Signals, candidates: Candidates) -> dict[str, Floats]:
    """Shares (0 to 1, weighted by rarity) of the question's words that stand in the title, the body, either."""
    matches = signals.matches
    title = matches.in_title[matches.chunk_document[candidates]]
    body = _in_body(signals, candidates)
    asked, added = matches.idf * matches.asked, matches.idf * ~matches.asked
    numbers = asked * np.array([term[:1].isdecimal() for term in matches.terms], bool)
    left = asked * ~title
    return {
        "support": signals.support[candidates],
        "title_share": _share(title * asked, asked),
        "residual_share": (body * left).sum(axis=1) / np.maximum(left.sum(axis=1), 1e-9),
        "added_share": _share(body * added, added),
        "numbers_missing": _share(~(body | title) * numbers, numbers),
    }


def _in_body(signals: Signals, candidates: Candidates) -> NDArray[np.bool_]:
    """Candidates by terms."""
    matches = signals.matches
    row = np.full(len(matches.chunk_length), -1)
    row[candidates] = np.arange(len(candidates))
    rows = row[matches.chunk]
    found = np.zeros((len(candidates), len(matches.terms)), bool)
    found[rows[rows >= 0], matches.term[rows >= 0]] = True
    return found


def _share(found: Floats, of: Floats) -> Floats:
    share: Floats = found.sum(axis=1) / max(of.sum(), 1e-9)
    return share


def _comparisons(signals: Signals, candidates: Candidates) -> dict[str, Floats]:
    """How a passage compares with the others of its document, and its document with other documents."""
    document = signals.matches.chunk_document
    first = np.flatnonzero(np.diff(document, prepend=-1))
    mine = document[candidates]
    titles, best = signals.title_words[first], np.maximum.reduceat(signals.fused, first)
    likeness = signals.filled(signals.residual_likeness)
    return {
        "early": 1 / (1.0 + candidates - first[mine]),
        "title_rank": 1 / (1.0 + (titles > titles[mine][:, None]).sum(axis=1)),
        "document_rank": 1 / (1.0 + (best > best[mine][:, None]).sum(axis=1)),
        "residual_likeness_below_best": _below_best(likeness, first, mine, candidates),
        "added_words_below_best": _below_best(signals.added_words, first, mine, candidates),
    }


def _below_best(values: Floats, first: Candidates, mine: Candidates, candidates: Candidates) -> Floats:
    """The distance to the best of the same document, as a share of the best of all."""
    below: Floats = (np.maximum.reduceat(values, first)[mine] - values[candidates]) / (values.max() or 1.0)
    return below


def _typed(signals: Signals, texts: Sequence[str]) -> Floats:
    """The share of the kinds of value asked for that the text holds."""
    kinds = wanted(signals.question)
    return np.array([sum(holds(text, kind) for kind in kinds) / max(len(kinds), 1) for text in texts])
