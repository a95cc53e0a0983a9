"""Learn to tell types of documents: `python -m tests.benchmarks.learn_types --eval DIR [--cache DIR]`.

Writes the centres of the vectors of `known.json`, and prints the weights of `app.rag.types.weights`: the chance that
the best type is right, a logistic regression on household papers and contracts (right types are known) and pages of an
encyclopaedia and of guidance (none is right). The figures are for kinds of documents that were left out.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.rag import types
from app.rag.document import Page
from app.rag.embedder import MiniLMEmbedder
from app.rag.evaluation.dataset import Document, read_set
from app.rag.fields.extract import extract
from app.rag.segments import windows
from app.rag.types.classifier import BELIEVED, FIRST_VECTORS, weighed
from app.rag.types.known import NONE, centres, listed, mean_vector, names
from tests.benchmarks.cached import CachedEmbedder, make_embedder

KINDS = {
    "passport": "passport",
    "licence": "driving_licence",
    "motor": "car_insurance",
    "home": "home_insurance",
    "health": "health_insurance",
    "life": "life_insurance",
    "bank": "bank_account",
    "deposit": "investment",
    "mortgage": "loan",
    "lease": "lease",
    "will": "will",
    "poa": "power_of_attorney",
    "deed": "property",
    "tax": "tax",
    "vehicle": "vehicle",
    "warranty": "warranty",
    "medical": "medical_record",
    "pension": "pension",
    "school": "education",
    "loan": "loan",
    "wishes": "letter",
    "utility": "contract",
}
FIELDS_CHARACTERS = 6_000
PENALTY = 1.0

Floats = NDArray[np.float64]


def make_centres(embedder: MiniLMEmbedder | CachedEmbedder) -> None:
    """Write the mean vectors of the descriptions."""
    rows = [mean_vector(embedder.embed_passages(about["examples"])) for about in listed().values()]
    np.save(Path(types.__file__).with_name("centres.npy"), np.array(rows, np.float16), allow_pickle=False)
    centres.cache_clear()


def evidence_of(document: Document, embedder: CachedEmbedder | None) -> tuple[str, dict[str, float]]:
    """The best type of a document, and what speaks for it."""
    text = document.text
    vector = None
    if embedder:
        spans = [text[start:end] for start, end in windows(text[:2_500])][: FIRST_VECTORS - 1]
        vector = mean_vector(
            embedder.embed_passages([document.title, *(f"{document.title}\n{span}" for span in spans)])
        )
    pages = [Page(1, text[:FIELDS_CHARACTERS])]
    fields = [field for on_page in extract(pages, "en").values() for field in on_page]
    scores, evidence = weighed(document.title, text, fields, vector, names())
    return names()[int(scores.argmax())], evidence


def fit(rows: Floats, right: Floats) -> tuple[Floats, float]:
    """Weights and constant of a logistic regression with a small penalty (Newton's method)."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    standard = np.c_[(rows - mean) / spread, np.ones(len(rows))]
    weights = np.zeros(standard.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-standard @ weights))
        gradient = standard.T @ (chance - right) + PENALTY * np.append(weights[:-1], 0)
        curvature = standard.T @ (standard * (chance * (1 - chance))[:, None]) + PENALTY * np.eye(len(weights))
        weights -= np.linalg.solve(curvature, gradient)
    return weights[:-1] / spread, float(weights[-1] - (weights[:-1] * mean / spread).sum())


def held_out(rows: Floats, right: Floats, groups: Sequence[str]) -> Floats:
    """The chance of each row, by weights that were learned without its group."""
    chances = np.zeros(len(right))
    for group in set(groups):
        mine = np.array([each == group for each in groups])
        weights, constant = fit(rows[~mine], right[~mine])
        chances[mine] = 1 / (1 + np.exp(-(rows[mine] @ weights + constant)))
    return chances


def main() -> None:
    """Learn, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = os.environ.get("LIFEVAULT_EVAL")
    parser.add_argument("--eval", type=Path, default=default, required=default is None)
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    arguments = parser.parse_args()
    embedder = make_embedder(arguments.cache)
    make_centres(embedder)
    documents = read_set(arguments.eval).documents
    truth = [_truth(document) for document in documents]
    groups = [document.kind or f"{document.folder}{at % 6}" for at, document in enumerate(documents)]
    for dense in (True, False):
        found = [evidence_of(document, embedder if dense else None) for document in documents]
        keys = list(found[0][1])
        rows = np.array([[evidence[key] for key in keys] for _, evidence in found])
        right = np.array([guess == true for (guess, _), true in zip(found, truth, strict=True)], float)
        chances = held_out(rows, right, groups)
        _report(dense, documents, right, chances)
        weights, constant = fit(rows, right)
        shown = {key: float(f"{weight:.4g}") for key, weight in zip(keys, weights, strict=True)}
        print({**shown, "": float(f"{constant:.4g}")})  # noqa: T201
    embedder.save()


def _truth(document: Document) -> str:
    if document.folder == "family":
        return KINDS[document.kind]
    return "contract" if document.folder == "cuad" else NONE


def _report(dense: bool, documents: Sequence[Document], right: Floats, chances: Floats) -> None:
    print("with vectors" if dense else "by words alone")  # noqa: T201
    for folder in ("family", "cuad", "xquad", "govuk"):
        mine = np.array([document.folder == folder for document in documents])
        told = mine & (chances >= BELIEVED)
        shares = [
            100 * float(each)
            for each in (right[mine].mean(), (told[mine]).mean(), right[told].mean() if told.any() else 1)
        ]
        print("  {:8} best type right {:5.1f} %, told {:5.1f} %, of these right {:5.1f} %".format(folder, *shares))  # noqa: T201


if __name__ == "__main__":
    main()
