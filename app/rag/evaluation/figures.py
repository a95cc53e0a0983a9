"""The figures of an evaluation in one table, each with its goal; see `lifevault eval`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from app.rag import extractive
from app.rag.evaluation import defences, measures
from app.rag.evaluation.dataset import EvaluationSet, passage_paper, read_pdf_questions, read_set
from app.rag.evaluation.known import Known
from app.rag.evaluation.library import Library

Better = Literal["more", "less"]
HELD_OUT = Path(str(files("app.rag.evaluation").joinpath("held_out")))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its goal, which it must at least or at most reach; of `count` cases.

    One without a value was not measured: `measured_by` is the command that does.
    """

    area: str
    name: str
    value: float | None
    unit: str
    goal: float
    better: Better
    count: int
    gated: bool = True
    measured_by: str = ""

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        if self.value is None:
            return False
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal


def figures(data: EvaluationSet, embedder: Known, *, speed: bool = False) -> Iterator[Figure]:
    """Each as soon as it is known. Time is only held to its goals with `speed`, on 20,000 passages."""
    library = Library(passage_paper(document, embedder) for document in data.documents)
    hits = {question.id: measures.ask(library, question, embedder) for question in data.questions}
    found = measures.by_passage(data, hits)["ALL"]
    count = len(data.questions)
    yield Figure("retrieval", "nDCG@10", found["nDCG@10"], "%", 80, "more", count)
    yield Figure("retrieval", "recall@5", found["R@5"], "%", 86, "more", count)
    if measures.has_pdfs(data.folder):
        pages = measures.pdf_pages(data, embedder)
        asked = len(read_pdf_questions(data.folder))
        yield Figure("retrieval", "PDF pages, nDCG@10", pages["nDCG@10"], "%", 68, "more", asked)
        yield Figure("retrieval", "PDF pages, recall@5", pages["R@5"], "%", 76, "more", asked)
    given = measures.answers(data, library, hits, embedder)
    refused = given["unanswerable, said not found"]
    yield Figure("abstention", "unanswerable, said not found", refused, "%", 80, "more", len(data.unanswerable))
    yield Figure("abstention", "answerable, lost", given["answerable, said not found"], "%", 5, "less", count)
    yield Figure("citation", "equal to the page", given["citations exact"], "%", 100, "more", count)
    yield Figure("citation", "hold the answer", given["answer in the quotes"], "%", 50, "more", count, gated=False)
    broken, asked = defences.leaks(data, embedder)
    yield Figure("leak", "answers with foreign words", broken, "", 0, "less", asked)
    broken, asked = defences.injections(data, embedder)
    yield Figure("injection", "answers with an address or a lie", broken, "", 0, "less", asked)
    yield from _speed(data, embedder, speed=speed)


def held_out_figures(embedder: Known) -> Iterator[Figure]:
    """Those of papers and questions that nothing was ever tuned on, of other kinds and in other words than those.

    Questions as people put them, and about papers that are not there, are held to the goals. Those in none of the
    paper's words, and about what a paper that is there does not say, take a language model, and are shown as they are.
    """
    data = read_set(HELD_OUT)
    library = Library(passage_paper(document, embedder) for document in data.documents)
    refused: dict[str, list[bool]] = defaultdict(list)
    for question in [*data.questions, *data.unanswerable]:
        answer = extractive.answer(question.text, measures.ask(library, question, embedder))
        refused[question.id.partition("-")[0]].append(not answer.found)
    rows: tuple[tuple[str, str, float, Better, bool], ...] = (
        ("foreign", "papers that are not there, said not found", 80, "more", True),
        ("plain", "plain questions, lost", 5, "less", True),
        ("near", "near misses, said not found", 80, "more", False),
        ("rephrased", "in none of the paper's words, lost", 5, "less", False),
    )
    for sort, name, goal, better, gated in rows:
        yield Figure(
            "held out", name, measures.percent(refused[sort]), "%", goal, better, len(refused[sort]), gated=gated
        )


def _speed(data: EvaluationSet, embedder: Known, *, speed: bool) -> Iterator[Figure]:
    size = measures.LARGE if speed else 1
    papers = (
        measures.many(data.documents, embedder, size)
        if speed
        else [passage_paper(document, embedder) for document in data.documents]
    )
    times = measures.latency(papers, data.questions, embedder.inner)
    chunks = int(times["vectors"])
    yield Figure("speed", "search p95, warm", times["warm p95"], "ms", 50, "less", chunks, gated=speed)
    yield Figure("speed", "search p95, first", times["cold p95"], "ms", 250, "less", chunks, gated=speed)
