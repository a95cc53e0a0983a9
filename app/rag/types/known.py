"""What documents of each record type are like: words of theirs, and centres of their vectors, as data.

`known.json` was written by hand: words as `plain` writes them, and descriptions. `centres.npy` holds the mean vector of
the descriptions of each type, in the same order; `tests.benchmarks.learn_types` makes it, and the weights.
"""

import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.rag.fields.cues import words_of

NONE: Final = "none"
"""Stands for texts that are no papers of anybody: its centre is that of recipes, articles, instructions."""
MODEL_ID: Final = "all-minilm-l6-v2.1.int8"
"""The model that the centres are comparable with."""

Vectors = NDArray[np.float32]


class Phrase(NamedTuple):
    """A few words, and the numbers of the types whose documents hold them."""

    words: tuple[str, ...]
    types: tuple[int, ...]


@cache
def listed() -> dict[str, Any]:
    """The types with their words and descriptions."""
    found: dict[str, Any] = orjson.loads(files(__package__).joinpath("known.json").read_bytes())
    return found


@cache
def names() -> tuple[str, ...]:
    """The types in the order of the centres."""
    return tuple(listed())


@cache
def phrases() -> dict[str, list[Phrase]]:
    """Every phrase by its first word."""
    types: dict[tuple[str, ...], list[int]] = {}
    for number, about in enumerate(listed().values()):
        for text in about["words"]:
            types.setdefault(tuple(word.text for word in words_of(text)), []).append(number)
    found: dict[str, list[Phrase]] = {}
    for words, numbers in types.items():
        found.setdefault(words[0], []).append(Phrase(words, tuple(numbers)))
    return found


@cache
def centres() -> Vectors:
    """One row of length 1 for each type."""
    data: Vectors = np.load(io.BytesIO(files(__package__).joinpath("centres.npy").read_bytes()), allow_pickle=False)
    return data.astype(np.float32)


def word_scores(title: str, text: str) -> NDArray[np.float64]:
    """How much the words of a document speak for each type; both texts are plain."""
    scores = np.zeros(len(names()))
    for words, weight in ((_found(title), _always(2.0)), (_found(text), _earlier)):
        for phrase, place in words.items():
            scores[list(phrase.types)] += weight(place) * (1 + 0.5 * (len(phrase.words) - 1))
    return scores


def _found(text: str) -> dict[Phrase, int]:
    """The phrases of a text, and where each stands first."""
    words = words_of(text)
    texts = tuple(word.text for word in words)
    found: dict[Phrase, int] = {}
    for at, word in enumerate(words):
        for phrase in phrases().get(word.text, ()):
            if texts[at : at + len(phrase.words)] == phrase.words:
                found.setdefault(phrase, word.start)
    return found


def _always(weight: float) -> Any:
    return lambda _: weight


def _earlier(place: int) -> float:
    return 1.5 if place < _HEAD else 0.5


_HEAD: Final = 200


def mean_vector(vectors: Sequence[Any] | NDArray[Any]) -> Vectors:
    """The direction of several vectors together."""
    mean = np.asarray(vectors, np.float32).mean(axis=0)
    direction: Vectors = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return direction
