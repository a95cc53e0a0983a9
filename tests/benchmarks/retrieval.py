"""Finding and answering: `python -m tests.benchmarks.retrieval --eval DIR [--cache DIR] [--json]`.

The main track is one mixed vault of the four folders with ready-made passages, scored as in the set's own README. The
same documents are then read, cut and searched as the product does it (a hit counts as the marked evidence that it
overlaps). Baselines run in the same run on the same passages. Weights and thesaurus were made with this set in view:
`learn_ranking` prints the figures on held-out documents.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.rag import lexical
from app.rag.evaluation.dataset import (
    EvaluationSet,
    Question,
    Scores,
    passage_of,
    passage_paper,
    product_paper,
    read_set,
)
from app.rag.evaluation.library import Library
from app.rag.evaluation.measures import LARGE, Result, answers, ask, by_passage, grouped, many, overlap, pdf_pages
from app.rag.evaluation.measures import latency as searching
from app.rag.ranking import Hit
from tests.benchmarks.cached import CachedEmbedder, make_embedder

RRF = 60


def main() -> None:
    arguments = _arguments()
    data = read_set(arguments.eval)
    embedder = make_embedder(arguments.cache)
    result = measure(data, embedder)
    embedder.save()
    if arguments.json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        show(result)


def measure(data: EvaluationSet, embedder: CachedEmbedder) -> Result:
    library = Library(passage_paper(document, embedder) for document in data.documents)
    product = Library(product_paper(document, embedder) for document in data.documents)
    hits = {question.id: ask(library, question, embedder) for question in data.questions}
    product_hits = {question.id: ask(product, question, embedder) for question in data.questions}
    return {
        "mixed vault": {
            **baselines(data, library, embedder),
            "LifeVault, words only": by_passage(data, {q.id: ask(library, q, None) for q in data.questions}),
            "LifeVault": by_passage(data, hits),
            "LifeVault, own chunks": by_overlap(data, product_hits),
        },
        "other languages": other_languages(data, library, embedder),
        "PDF pages": {"LifeVault": pdf_pages(data, embedder)},
        "answers": {
            "ready-made passages": answers(data, library, hits, embedder),
            "own chunks": answers(data, product, product_hits, embedder),
        },
        "latency": latency(data, embedder),
    }


def by_overlap(data: EvaluationSet, hits: dict[str, list[Hit]]) -> Result:
    """A hit finds every piece of evidence that it overlaps and that no better hit has found."""

    def add(scores: Scores, question: Question) -> None:
        document = data.by_name[question.document]
        evidence = set(question.spans or document.spans(question.relevant))
        ranked: list[object] = []
        for hit in hits[question.id]:
            left = evidence.difference(ranked) if hit.document_id == document.id else ()
            ranked.append(min((span for span in left if overlap(document.place(hit), span) > 0), default=None))
        scores.add(ranked, evidence)

    return grouped(data.questions, add)


def baselines(data: EvaluationSet, library: Library, embedder: CachedEmbedder) -> Result:
    """BM25 of title and body, whole passages as single vectors, and both fused by reciprocal rank."""
    passages = [(d.title, name, text) for d in data.documents for name, text in d.passages.items()]
    names = [name for _, name, _ in passages]
    vectors = embedder.embed_passages([f"{title}\n{text}" for title, _, text in passages])

    def words(question: Question) -> NDArray[np.float64]:
        found = lexical.match(library.scope, question.text)
        titles: NDArray[np.float64] = (found.in_title * found.title_idf).sum(axis=1)
        return found.body(found.idf) + titles[found.chunk_document]

    def dense(question: Question) -> NDArray[np.float64]:
        likeness: NDArray[np.float64] = (vectors @ embedder.embed_query(question.text)).astype(float)
        return likeness

    def fused(question: Question) -> NDArray[np.float64]:
        return 1 / (RRF + ranks(words(question))) + 1 / (RRF + ranks(dense(question)))

    def run(scores: Callable[[Question], NDArray[np.float64]]) -> Result:
        def add(found: Scores, question: Question) -> None:
            best = np.argsort(-scores(question), kind="stable")[:10]
            found.add([names[at] for at in best], set(question.relevant))

        return grouped(data.questions, add)

    return {"BM25, title + body": run(words), "MiniLM, title + body": run(dense), "RRF of both": run(fused)}


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.empty(len(scores))
    found[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return found


def other_languages(data: EvaluationSet, library: Library, embedder: CachedEmbedder) -> Result:
    """Hindi and Spanish questions about English passages; MiniLM and its words are English."""
    hits = {question.id: ask(library, question, embedder) for question in data.foreign}

    def add(scores: Scores, question: Question) -> None:
        scores.add(passage_of(hits[question.id], data.documents), set(question.relevant))

    return {name: means for name, means in grouped(data.foreign, add).items() if name != "ALL"}


def latency(data: EvaluationSet, embedder: CachedEmbedder) -> Result:
    """Milliseconds, question embedded anew each time. Cold: open every shard, then the first search."""
    contracts = [document for document in data.documents if document.folder == "cuad"]
    return {
        f"{name}, {LARGE} chunks": searching(many(documents, embedder), data.questions, embedder.inner)
        for name, documents in (("all documents", data.documents), ("contracts only", contracts))
    }


def show(result: Result) -> None:
    console = Console(width=140)
    for title, rows in result.items():
        nested = {name: row if isinstance(row, dict) else {"": row} for name, row in rows.items()}
        columns = list(dict.fromkeys(column for row in nested.values() for column in row))
        wide = any(isinstance(cell, dict) for row in nested.values() for cell in row.values())
        table = Table(title + (f" ({' / '.join(Scores.NAMES)})" if wide else ""), *columns)
        for name, row in nested.items():
            table.add_row(name, *(_cell(row.get(column, "")) for column in columns))
        console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{value[name]:.1f}" for name in Scores.NAMES)
    return str(value)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = os.environ.get("LIFEVAULT_EVAL")
    parser.add_argument("--eval", type=Path, default=default, required=default is None, help="the evaluation set")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="a folder for models and vectors")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


if __name__ == "__main__":
    main()
