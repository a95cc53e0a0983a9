"""An evaluation set as documents and questions, and the measures of what is found."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from app.rag.chunking import chunk_pages
from app.rag.citations import Citation
from app.rag.document import Chunk, Page, Source
from app.rag.embedder import Embedder
from app.rag.evaluation.library import Paper, make_paper
from app.rag.ranking import Hit
from app.rag.reader.pages import paginate
from app.rag.shard import passages_to_embed

FOLDERS = ("cuad", "govuk", "xquad", "family")
ENGLISH_XQUAD = 300

Span = tuple[int, int]


@dataclass(frozen=True)
class Document:
    """A document of the set: its passages in order, which joined are its text."""

    name: str
    folder: str
    title: str
    passages: dict[str, str]
    kind: str = ""

    @property
    def id(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_URL, self.name)

    @property
    def text(self) -> str:
        return "".join(self.passages.values())

    @cached_property
    def page_starts(self) -> list[int]:
        """Where the pages that the product cuts the text into begin."""
        starts: list[int] = np.cumsum([0, *map(len, paginate(self.text))]).tolist()
        return starts

    def place(self, found: Hit | Citation) -> Span:
        """Where a hit or quote stands in the joined text."""
        start = self.page_starts[found.page - 1] + found.start
        return start, start + found.end - found.start

    def spans(self, passages: Iterable[str]) -> list[Span]:
        """Where these passages stand in the joined text."""
        starts = dict(zip(self.passages, np.cumsum([0, *map(len, self.passages.values())]).tolist(), strict=False))
        return [(starts[name], starts[name] + len(self.passages[name])) for name in passages]


@dataclass(frozen=True)
class Question:
    """A question with its evidence: passages, spans of the joined text, or pages."""

    id: str
    folder: str
    text: str
    document: str
    """What must not be split over training and test: the document, or what stands in for it when there is none."""
    relevant: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    pages: frozenset[int] = frozenset()


@dataclass(frozen=True)
class EvaluationSet:
    """Documents and questions about them; `foreign` ones are in other languages than what they ask about."""

    folder: Path
    documents: list[Document]
    questions: list[Question]
    foreign: list[Question]
    unanswerable: list[Question]
    by_name: dict[str, Document] = field(default_factory=dict)


def read_set(folder: Path) -> EvaluationSet:
    """A set of folders that each hold `corpus.jsonl` and `queries.jsonl`. Raises `FileNotFoundError` if none does."""
    names = [name for name in FOLDERS if (folder / name / "corpus.jsonl").exists()]
    if not names:
        raise FileNotFoundError(f"{folder} holds none of the folders {', '.join(FOLDERS)} with corpus.jsonl")
    documents = [document for name in names for document in _documents(folder, name)]
    questions = [question for name in names for question in _questions(folder / name / "queries.jsonl", name)]
    english = [question for question in questions if question.folder == "xquad"]
    kept = {english[at * len(english) // ENGLISH_XQUAD].id for at in range(ENGLISH_XQUAD) if english}
    return EvaluationSet(
        folder,
        documents,
        [q for q in questions if q.folder in FOLDERS and (q.folder != "xquad" or q.id in kept)],
        [q for q in questions if q.folder in ("hi", "es")],
        _questions(folder / "unanswerable.jsonl", "unanswerable"),
        {document.name: document for document in documents},
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _documents(folder: Path, name: str) -> list[Document]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _lines(folder / name / "corpus.jsonl"):
        rows[row["doc_id"]].append(row)
    return [
        Document(
            name=key,
            folder=name,
            title=passages[0]["title"],
            passages={passage["id"]: passage["text"] for passage in passages},
            kind=passages[0].get("kind", ""),
        )
        for key, passages in rows.items()
    ]


def _questions(path: Path, folder: str) -> list[Question]:
    return [
        Question(
            id=row["id"],
            folder=folder if row.get("lang", "en") == "en" else row["lang"],
            text=row["question"],
            document=row.get("doc_id") or row.get("file") or row["id"].rsplit("-", 1)[0],
            relevant=frozenset(row.get("relevant_ids", ())),
            answers=tuple(row["answers"]),
            spans=tuple((start, end) for start, end in row.get("spans", ())),
            pages=frozenset(row.get("pages", ())),
        )
        for row in _lines(path)
    ]


def read_pdf_questions(folder: Path) -> list[Question]:
    """Questions about pages of the real files in `pdf`."""
    return _questions(folder / "pdf" / "queries.jsonl", "pdf")


def passage_paper(document: Document, embedder: Embedder) -> Paper:
    """The ready-made passages as chunks of one page."""
    spans = document.spans(document.passages)
    texts = document.passages.values()
    chunks = [Chunk(1, start, end, text) for (start, end), text in zip(spans, texts, strict=True)]
    return _paper(document, [Page(1, document.text)], chunks, embedder)


def product_paper(document: Document, embedder: Embedder, pages: list[Page] | None = None) -> Paper:
    """The document as the product would cut it; `pages` are those read from a real file."""
    pages = pages or [Page(number, text) for number, text in enumerate(paginate(document.text), 1)]
    return _paper(document, pages, chunk_pages(pages), embedder)


def _paper(document: Document, pages: list[Page], chunks: list[Chunk], embedder: Embedder) -> Paper:
    source = Source(document.id, document.id, document.id, document.title)
    vectors = embedder.embed_passages(passages_to_embed(source, chunks))
    return make_paper(source, pages, chunks, vectors, embedder.model_id)


@dataclass(frozen=True)
class Scores:
    """Sums over questions; ask for `means`."""

    rows: list[tuple[float, ...]] = field(default_factory=list)

    NAMES = ("R@1", "R@5", "R@10", "MRR@10", "nDCG@10")

    def add(self, ranked: Sequence[object], relevant: Set[object]) -> None:
        """`ranked` are the first ten results, each as what is counted as relevant (or anything else)."""
        gains = np.array([item in relevant for item in ranked[:10]] + [False] * (10 - min(10, len(ranked))), float)
        discount = 1 / np.log2(np.arange(10) + 2)
        recall = [gains[:k].sum() / min(len(relevant), k) for k in (1, 5, 10)]
        reciprocal = 1 / (1 + int(gains.argmax())) if gains.any() else 0.0
        ideal = discount[: min(10, len(relevant))].sum()
        self.rows.append((*recall, reciprocal, float(gains @ discount / ideal)))

    def means(self) -> dict[str, float]:
        return dict(zip(self.NAMES, (100 * np.mean(self.rows, axis=0)).round(1).tolist(), strict=True))


def passage_of(hits: Sequence[Hit], documents: Iterable[Document]) -> list[str]:
    """The name of the ready-made passage that each hit is."""
    places = {
        (document.id, span[0]): name
        for document in documents
        for name, span in zip(document.passages, document.spans(document.passages), strict=True)
    }
    return [places[hit.document_id, hit.start] for hit in hits]
