"""A guess at the record type of a document, with the chance that it is right.

Words and, where the built-in embedder made vectors, likeness to descriptions choose the type; how much there is to say
for it, and how many numbers, dates and names the document holds, tell whether to believe it.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.rag.fields.plain import plain
from app.rag.fields.shapes import Field, FieldKind
from app.rag.types.known import NONE, Vectors, centres, names, word_scores
from app.rag.types.weights import BELIEF, LIKENESS, MOST_WORDS

HEAD_CHARACTERS: Final = 3_000
FIRST_VECTORS: Final = 7
"""The title's, and those of the first windows."""
BELIEVED: Final = 0.5
"""The chance from which a guess is told; below it the answer is "don't know"."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TypeGuess:
    """`type` is None for "don't know"; `chance` is that of the best type, `others` come next."""

    type: str | None
    chance: float
    others: tuple[str, ...]


def guess_type(
    title: str, text: str, fields: Sequence[Field], vector: Vectors | None, among: Collection[str]
) -> TypeGuess:
    """The type of a document by its title, the begin of its text, the fields on it, and its vector, if any."""
    scores, evidence = weighed(title, text, fields, vector, among)
    order = [names()[number] for number in np.argsort(-scores, kind="stable") if np.isfinite(scores[number])]
    if not order:
        return TypeGuess(None, 0.0, ())
    chance = 1 / (1 + math.exp(-sum(BELIEF[name] * value for name, value in evidence.items()) - BELIEF[""]))
    believed = chance >= BELIEVED
    return TypeGuess(order[0] if believed else None, round(chance, 3), tuple(order[believed : believed + 3]))


def weighed(
    title: str, text: str, fields: Sequence[Field], vector: Vectors | None, among: Collection[str]
) -> tuple[Floats, dict[str, float]]:
    """The score of each type, minus infinity for those that are not `among`; and what speaks for the best one."""
    words = np.minimum(word_scores(plain(title), plain(text[:HEAD_CHARACTERS])), MOST_WORDS)
    likeness = np.zeros(len(words)) if vector is None else (centres() @ vector).astype(float)
    possible = np.array([name in among and name != NONE for name in names()])
    scores = np.where(possible, words + LIKENESS * likeness, -np.inf)
    top = int(scores.argmax())
    kinds = Counter(_sort(field) for field in fields)
    counts = {sort: math.log1p(kinds[sort]) for sort in ("numbers", "dates", "names")}
    return scores, {"words": float(words[top]), **counts}


def _sort(field: Field) -> str:
    if field.kind in (FieldKind.NUMBER, FieldKind.IBAN, FieldKind.MRZ):
        return "numbers"
    if field.kind is FieldKind.NAME:
        return "names" if field.role != "organisation" else "organisations"
    return "dates" if field.kind is FieldKind.DATE else "others"
