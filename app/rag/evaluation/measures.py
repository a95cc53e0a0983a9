"""What is measured on an evaluation set: finding, answering, saying "not found", speed; in percent or milliseconds."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.rag import extractive
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
)
from app.rag.evaluation.library import Library, Paper, search
from app.rag.parsing import Limits, read_pages
from app.rag.ranking import Hit

LARGE = 20_000
SHARED_CHARACTERS = 25
"""A quote holds a marked clause when it shares so many characters with it, or all of a shorter one."""

Result = dict[str, Any]


def ask(library: Library, question: Question, embedder: Embedder | None, limit: int = 10) -> list[Hit]:
    """The best passages."""
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
    """How well the ready-made passages were found."""

    def add(scores: Scores, question: Question) -> None:
        scores.add(passage_of(hits[question.id], data.documents), set(question.relevant))

    return grouped(data.questions, add)


def pdf_pages(data: EvaluationSet, embedder: Embedder) -> dict[str, float]:
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

    means: dict[str, float] = grouped(read_pdf_questions(data.folder), add)["ALL"]
    return means


def has_pdfs(folder: Path) -> bool:
    """Whether the set has real files."""
    return (folder / "pdf" / "files.jsonl").exists()


async def _read_pdf(data: bytes) -> list[Page]:
    async def content() -> AsyncIterator[bytes]:
        yield data

    events = read_pages(content(), media_type="application/pdf", name="contract.pdf", limits=Limits())
    return [Page(event.number, event.text) async for event in events]


def answers(
    data: EvaluationSet, library: Library, hits: dict[str, list[Hit]], embedder: Embedder | None
) -> dict[str, float]:
    """A quote counts when it holds the marked answer in the right document, and is exact when it equals the text of
    its page at its offsets."""
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
    """Whether a quote holds the marked answer, in the right document."""
    document = data.by_name[question.document]
    if quoted.document_id != document.id:
        return False
    if not question.spans:
        return any(folded(answer) in folded(quoted.quote) for answer in question.answers)
    place = document.place(quoted)
    return any(overlap(place, span) >= min(SHARED_CHARACTERS, span[1] - span[0]) for span in question.spans)


def overlap(one: Span, other: Span) -> int:
    """How many characters two places share."""
    return min(one[1], other[1]) - max(one[0], other[0])


def folded(text: str) -> str:
    """The text, whatever its case and white space."""
    return " ".join(text.casefold().split())


def percent(verdicts: Sequence[bool]) -> float:
    """How many of them hold; of none, all."""
    return round(100 * float(np.mean(verdicts)), 1) if verdicts else 100.0


def latency(papers: list[Paper], asked: list[Question], embedder: Embedder) -> dict[str, float]:
    """Milliseconds, question embedded anew each time. Cold: open every shard, then the first search."""
    questions = [question.text for question in asked[:: max(len(asked) // 60, 1)]]
    library = Library(papers)

    def cold(text: str) -> float:
        return timed(lambda: library.reopened().search(text, None, 10, embedder=embedder))

    search(papers[:1], questions[0], None, 10, embedder=embedder)
    first = [cold(text) for text in questions[::5]]
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


def many(documents: list[Document], embedder: Embedder, chunks: int = LARGE) -> list[Paper]:
    """The documents again and again until there are so many chunks."""
    once = [passage_paper(document, embedder) for document in documents]
    sizes = [len(document.passages) for document in documents]
    count = int(np.searchsorted(np.cumsum(sizes * (chunks // sum(sizes) + 1)), chunks)) + 1
    return [once[at % len(once)] for at in range(count)]


def timed(action: Callable[[], object]) -> float:
    """How many milliseconds it takes."""
    start = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - start)
