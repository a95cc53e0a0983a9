"""Weights learned from the open evaluation set by `tests/benchmarks/learn_ranking.py`; not written by hand.

True: with vectors, False: by words only. The empty name is the constant term."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])

RELEVANCE: dict[bool, dict[str, float]] = {
    True: {
        "fused": 0.4518,
        "body_words": 0.7824,
        "likeness": 1.769,
        "likeness_scaled": 1.107,
        "residual_likeness": 3.205,
        "residual_likeness_scaled": 0.543,
        "support": 1.409,
        "title_share": 1.821,
        "residual_share": 1.9,
        "added_share": 2.473,
        "numbers_missing": -0.594,
        "early": 0.9207,
        "title_rank": 1.645,
        "document_rank": 1.622,
        "residual_likeness_below_best": -0.3329,
        "added_words_below_best": -1.57,
        "typed": 1.104,
        "": -12.2,
    },
    False: {
        "fused": 0.3573,
        "body_words": 0.5773,
        "likeness": 0,
        "likeness_scaled": 0.8872,
        "residual_likeness": 0,
        "residual_likeness_scaled": 0.8872,
        "support": 1.533,
        "title_share": 1.439,
        "residual_share": 2.077,
        "added_share": 2.632,
        "numbers_missing": -0.525,
        "early": 0.5581,
        "title_rank": 0.9034,
        "document_rank": 0.9905,
        "residual_likeness_below_best": 1.904,
        "added_words_below_best": -1.671,
        "typed": 0.9346,
        "": -9.13,
    },
}
CONFIDENCE: dict[bool, dict[str, float]] = {
    True: {
        "names": -0.6052,
        "names_in_title": -0.3284,
        "names_in_document": 0.6588,
        "names_in_passage": 2.222,
        "names_anywhere": 0.6644,
        "words_in_document": -2.431,
        "words_in_passage": 5.838,
        "words_anywhere": 3.395,
        "rare_anywhere": 2.358,
        "added_in_passage": 1.104,
        "documents": -0.52,
        "words": 2.397,
        "likeness": 7.221,
        "residual_likeness": 0.8878,
        "title_likeness": -3.344,
        "relevance": 0.1908,
        "": -12.59,
    },
    False: {
        "names": -1.1,
        "names_in_title": -0.5043,
        "names_in_document": 1.022,
        "names_in_passage": 0.4983,
        "names_anywhere": 1.168,
        "words_in_document": -3.107,
        "words_in_passage": 9.289,
        "words_anywhere": 4.806,
        "rare_anywhere": 1.928,
        "added_in_passage": 1.312,
        "documents": -0.5762,
        "words": 3.06,
        "likeness": 0,
        "residual_likeness": 0,
        "title_likeness": 0,
        "relevance": 0.1571,
        "": -12.17,
    },
}


def weigh(features: Mapping[str, Number], table: Mapping[str, float]) -> Number:
    """The weighted sum, constant term included; above 0 is more likely than not."""
    return sum(value * table[name] for name, value in features.items()) + table[""]  # type: ignore[return-value]
