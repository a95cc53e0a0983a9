"""Finding and answering: `python -m tests.benchmarks.retrieval --eval DIR [--cache DIR] [--json]`.

The main track is one mixed vault of the four folders with ready-made passages, scored as in the set's own README. The
same documents are then read, cut and searched as the product does it (a hit counts as the marked evidence that it
overlaps). Baselines run in the same run on the same passages. Weights and thesaurus were made with this set in view:
`learn_ranking` prints the figures on held-out documents.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.rag import extractive, lexical
from app.rag.citations import Citation
from app.rag.document import Page
from app.rag.embedder import Embedder
from app.rag.evaluation.dataset import (
    Document,
    EvaluationSet,
    Question,
    Scores,
    Span,
    passage_of,
    passage_paper,
    product_paper,
    read_pdf_questions,
    read_set,
)
from app.rag.evaluation.library import Library, Paper, search
from app.rag.parsing import Limits, read_pages
from app.rag.ranking import Hit
from tests.benchmarks.cached import CachedEmbedder, make_embedder

LARGE = 20_000
RRF = 60
SHARED_CHARACTERS = 25
"""A quote holds a marked clause when it shares so many characters with it, or all of a shorter one."""

Result = dict[str, Any]


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
        "PDF pages": pdf_pages(data, embedder),
        "answers": {
            "ready-made passages": answers(data, library, hits, embedder),
            "own chunks": answers(data, product, product_hits, embedder),
        },
        "latency": latency(data, embedder),
    }


def ask(library: Library, question: Question, embedder: CachedEmbedder | None, limit: int = 10) -> list[Hit]:
    vector = embedder.embed_query(question.text) if embedder else None
    return library.search(question.text, vector, limit, embedder=embedder)


def grouped(questions: Iterable[Question], add: Callable[[Scores, Question], None]) -> Result:
    """Means for each folder and for all."""
    scores: dict[str, Scores] = defaultdict(Scores)
    for question in questions:
        for name in (question.folder, "ALL"):
            add(scores[name], question)
    return {name: found.means() for name, found in scores.items()}


def by_passage(data: EvaluationSet, hits: dict[str, list[Hit]]) -> Result:
    def add(scores: Scores, question: Question) -> None:
        scores.add(passage_of(hits[question.id], data.documents), set(question.relevant))

    return grouped(data.questions, add)


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


def pdf_pages(data: EvaluationSet, embedder: CachedEmbedder) -> Result:
    """Real PDFs, read and cut as the product does it; a page counts once, at its first hit."""
    files = [json.loads(line) for line in (data.folder / "pdf" / "files.jsonl").read_text().splitlines()]
    papers = []
    for file in files:
        pages = asyncio.run(_read_pdf((data.folder / "pdf" / file["file"]).read_bytes()))
        papers.append(product_paper(Document(file["file"], "pdf", file["title"], {}), embedder, pages))
    library = Library(papers)
    by_id = {Document(file["file"], "pdf", "", {}).id: file["file"] for file in files}

    def add(scores: Scores, question: Question) -> None:
        found = ask(library, question, embedder, limit=60)
        pages = list(dict.fromkeys((by_id[hit.document_id], hit.page) for hit in found))
        scores.add(pages[:10], {(question.document, page) for page in question.pages})

    return {"LifeVault": grouped(read_pdf_questions(data.folder), add)["ALL"]}


async def _read_pdf(data: bytes) -> list[Page]:
    async def content() -> AsyncIterator[bytes]:
        yield data

    events = read_pages(content(), media_type="application/pdf", name="contract.pdf", limits=Limits())
    return [Page(event.number, event.text) async for event in events]


def answers(
    data: EvaluationSet, library: Library, hits: dict[str, list[Hit]], embedder: CachedEmbedder
) -> dict[str, float]:
    """In percent. A quote counts when it holds the marked answer in the right document, and is exact when it equals
    the text of its page at its offsets."""
    given = {question.id: extractive.answer(question.text, hits[question.id]) for question in data.questions}
    exact = [
        library.pages[quoted.version_id, quoted.page][quoted.start : quoted.end] == quoted.quote
        for answer in given.values()
        for quoted in answer.citations
    ]
    right, first = [], []
    for question in data.questions:
        if question.folder != "govuk":  # its answers are judgements ("yes"), not words of the text
            verdicts = [holds_answer(data, question, quoted) for quoted in given[question.id].citations]
            right.append(any(verdicts))
            first.append(any(verdicts[:1]))
    refused = [not extractive.answer(q.text, ask(library, q, embedder)).found for q in data.unanswerable]
    return {
        "unanswerable, said not found": percent(refused),
        "answerable, said not found": percent([not answer.found for answer in given.values()]),
        "answer in the quotes": percent(right),
        "answer in the first quote": percent(first),
        "citations exact": percent(exact),
    }


def holds_answer(data: EvaluationSet, question: Question, quoted: Citation) -> bool:
    document = data.by_name[question.document]
    if quoted.document_id != document.id:
        return False
    if not question.spans:
        return any(_plain(answer) in _plain(quoted.quote) for answer in question.answers)
    place = document.place(quoted)
    return any(overlap(place, span) >= min(SHARED_CHARACTERS, span[1] - span[0]) for span in question.spans)


def overlap(one: Span, other: Span) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def percent(verdicts: Sequence[bool]) -> float:
    return round(100 * float(np.mean(verdicts)), 1)


def latency(data: EvaluationSet, embedder: CachedEmbedder) -> Result:
    """Milliseconds, question embedded anew each time. Cold: open every shard, then the first search."""
    contracts = [document for document in data.documents if document.folder == "cuad"]
    return {
        f"{name}, {LARGE} chunks": _latency(many(documents, embedder), data.questions, embedder.inner)
        for name, documents in (("all documents", data.documents), ("contracts only", contracts))
    }


def _latency(papers: list[Paper], asked: list[Question], embedder: Embedder) -> dict[str, float]:
    questions = [question.text for question in asked[:: len(asked) // 60]]

    def cold(text: str) -> float:
        return timed(lambda: search(papers, text, None, 10, embedder=embedder))

    search(papers[:1], questions[0], None, 10, embedder=embedder)
    first = [cold(text) for text in questions[::5]]
    library = Library(papers)
    library.search(questions[0], None, 10, embedder=embedder)
    warm = [timed(lambda text=text: library.search(text, None, 10, embedder=embedder)) for text in questions]  # type: ignore[misc]
    query = embedder.embed_query(questions[0])
    vectors = np.random.default_rng(1).standard_normal((library.scope.shelves[0].rows, len(query)), np.float32)
    bare = float(np.median([timed(lambda: vectors @ query) for _ in range(20)]))
    baseline = bare + float(np.median([timed(lambda text=text: embedder.embed_query(text)) for text in questions]))  # type: ignore[misc]
    return {
        "documents": len(papers),
        "vectors": len(vectors),
        "warm p50": round(float(np.percentile(warm, 50)), 1),
        "warm p95": round(float(np.percentile(warm, 95)), 1),
        "cold p95": round(float(np.percentile(first, 95)), 1),
        "baseline: embed + one matrix product": round(baseline, 1),
        "warm p50 / baseline": round(float(np.percentile(warm, 50)) / baseline, 1),
    }


def many(documents: list[Document], embedder: CachedEmbedder) -> list[Paper]:
    """The documents again and again until there are `LARGE` chunks."""
    once = [passage_paper(document, embedder) for document in documents]
    sizes = [len(document.passages) for document in documents]
    count = int(np.searchsorted(np.cumsum(sizes * (LARGE // sum(sizes) + 1)), LARGE)) + 1
    return [once[at % len(once)] for at in range(count)]


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - start)


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
