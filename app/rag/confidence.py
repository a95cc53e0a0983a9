"""Whether the papers in scope answer the question at all: what is known about its best passage, as numbers."""

import numpy as np
from numpy.typing import NDArray

from app.rag.signals import Signals
from app.rag.text import stem, words

NAME_WEIGHT = 1.0
WORD_WEIGHT = 0.35
"""A name or number that stands nowhere says more than a verb that stands nowhere; unlike rarity, this does not depend
on how many documents a vault holds."""
ALONE = 3.0
"""The lead of a passage that has no other beside it."""
FLAT = 0.02
"""Added to the spread of likenesses, so that a handful of equal passages does not make any of them stand out."""


def evidence(signals: Signals, index: int) -> dict[str, float]:
    """Features of the chunk `index` as the best answer to the question."""
    matches = signals.matches
    document = matches.chunk_document[index]
    inside = _terms(signals, matches.chunk_document[matches.chunk] == document) | matches.in_title[document]
    passage = _terms(signals, matches.chunk == index) | matches.in_title[document]
    anywhere = _terms(signals, np.ones(len(matches.chunk), bool)) | matches.in_title.any(axis=0)
    names = np.array([term in named(signals.question) for term in matches.terms], bool) & matches.asked
    weight = np.where(names, NAME_WEIGHT, WORD_WEIGHT) * matches.asked
    return {
        "names": float(names.any()),
        "names_in_title": _share(names, matches.in_title[document]),
        "names_in_document": _share(names, inside),
        "names_in_passage": _share(names, passage),
        "names_anywhere": _share(names, anywhere),
        "words_in_document": _share(weight, inside),
        "words_in_passage": _share(weight, passage),
        "words_anywhere": _share(weight, anywhere),
        "rare_anywhere": _share(matches.title_idf * matches.asked, anywhere),
        "added_in_passage": _share(matches.idf * ~matches.asked, passage),
        "documents": float(np.log(matches.documents)),
        "words": float(np.log1p(matches.asked.sum())),
        "length": float(np.log1p(len(signals.question.split()))),
        "likeness": float(np.nan_to_num(signals.likeness[index])),
        "residual_likeness": float(np.nan_to_num(signals.residual_likeness[index])),
        "title_likeness": float(np.nan_to_num(signals.title_likeness[index])),
        "stands_out": _stands_out(signals.likeness, index),
    }


def lead(relevance: NDArray[np.float64]) -> dict[str, float]:
    """How relevant the best candidate is, and how much more so than the next; both in logits."""
    best, *others = np.sort(relevance)[::-1][:2].tolist()
    return {"relevance": best, "lead": best - others[0] if others else ALONE}


def _stands_out(likeness: NDArray[np.float64], index: int) -> float:
    """By how many standard deviations a passage is more like the question than those in scope are on average.

    Any question is somewhat like something among very many passages.
    """
    known = likeness[np.isfinite(likeness)]
    if not np.isfinite(likeness[index]):
        return 0.0
    return float((likeness[index] - known.mean()) / (known.std() + FLAT))


def named(question: str, language: str = "en") -> frozenset[str]:
    """Stems of the words that look like names or numbers: capitals inside a sentence, digits anywhere."""
    found = set()
    for word in words(question, language):
        opening = question[: word.start].rstrip(" \"'(\u201c\u2018")[-1:] in (*".?!:", "")
        letter = question[word.start]
        if letter.isdigit() or (letter.isupper() and not opening):
            found.add(stem(question[word.start : word.end], language))
    return frozenset(found)


def _terms(signals: Signals, entries: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.bincount(signals.matches.term[entries], minlength=len(signals.matches.terms)) > 0


def _share(weight: NDArray[np.float64] | NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    total = float(weight.sum())
    return float((weight * found).sum()) / total if total else 1.0
