"""Answers without a language model: verbatim quotes of the sentences that answer best, or an honest "not found"."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.rag.asked import asking_part
from app.rag.citations import Citation, cite
from app.rag.confidence import named
from app.rag.fields.asked import answers
from app.rag.fields.shapes import Field
from app.rag.ranking import Hit
from app.rag.residual import residual_question
from app.rag.segments import Span, statements
from app.rag.text import guess_language, stems
from app.rag.thesaurus import document_words
from app.rag.values import Kind, holds, wanted

PASSAGES = 5
QUOTES = 3
NEAREST = 3
FOUND = 0.5
"""`answerable` from which an answer is given; `weights` puts the measured threshold at one half."""
FOUND_BY_FIELD, SURE = 0.35, 0.8
"""The same for a passage with a field that surely is what the question asks for."""

# Learned on the evaluation set with questions split by document, then rounded: as good there on unseen documents.
_RESIDUAL, _WHOLE, _ADDED, _TYPED, _TYPED_RESIDUAL = 2.5, 1.5, 3.2, 1.5, 1.0
_RELEVANCE, _FIRST, _FOCUS, _FIELD = 0.5, 0.7, 0.7, 2.5
_ENOUGH_ADDED = 4
_NEARLY_AS_GOOD = 1.5


@dataclass(frozen=True, slots=True)
class Answer:
    """`answer` is made of the quotes of `citations`, marked [1], [2], …; when nothing was found it is empty.

    `nearest` holds the best passage of each of the nearest documents, for "not found, but see …".
    """

    found: bool
    answer: str
    citations: list[Citation]
    nearest: list[Hit]


def answer(question: str, hits: Sequence[Hit]) -> Answer:
    """Quotes from the first hits of `search`, best first."""
    nearest = _nearest(hits)
    if not hits or not _answers(question, hits[0]):
        return Answer(found=False, answer="", citations=[], nearest=nearest)
    citations = [cite(hit, *span) for hit, span in _best_statements(question, hits[:PASSAGES])]
    lines = [f"“{' '.join(citation.quote.split())}” [{number}]" for number, citation in enumerate(citations, 1)]
    return Answer(found=True, answer="\n".join(lines), citations=citations, nearest=nearest)


def _answers(question: str, best: Hit) -> bool:
    """Whether the best passage is good enough to be quoted.

    One that holds the very field that is asked for, of everybody and everything that is named, may be less alike.
    """
    if best.answerable >= FOUND:
        return True
    if best.answerable < FOUND_BY_FIELD or answers(question, best.fields) < SURE:
        return False
    language = guess_language(question)
    names = named(question, language)
    return bool(names) and names <= set(stems(f"{best.title}\n{best.heading}\n{best.text}", language))


def _nearest(hits: Sequence[Hit]) -> list[Hit]:
    best = {hit.document_id: hit for hit in reversed(hits)}
    return [hit for hit in hits if best[hit.document_id] is hit][:NEAREST]


def _best_statements(question: str, hits: Sequence[Hit]) -> list[tuple[Hit, Span]]:
    """The best statement, and up to two more that are nearly as good."""
    asked = _Asked(question, guess_language(question))
    found = [_Statement(hit, span, stems(hit.text[slice(*span)], asked.language)) for hit, span in _spans(hits)]
    rarity = _Rarity(found)
    left = {title: asked.residual(title) for title in {hit.title for hit in hits}}
    scored = [(_score(each, asked, left[each.hit.title], rarity, hits[0]), each) for each in found]
    scored.sort(key=lambda pair: -pair[0])
    return [(each.hit, each.span) for score, each in scored[:QUOTES] if score >= scored[0][0] - _NEARLY_AS_GOOD]


def _spans(hits: Sequence[Hit]) -> Iterator[tuple[Hit, Span]]:
    """Every statement once, also when a passage was found twice."""
    seen = set()
    for hit in hits:
        for span in statements(hit.text) or [(0, len(hit.text))]:
            text = " ".join(hit.text[slice(*span)].split())
            if text not in seen:
                seen.add(text)
                yield hit, span


@dataclass(frozen=True)
class _Asked:
    """The question, taken apart."""

    question: str
    language: str

    @cached_property
    def whole(self) -> frozenset[str]:
        return frozenset(stems(self.question, self.language))

    @cached_property
    def added(self) -> frozenset[str]:
        return frozenset(stems(document_words(asking_part(self.question)))) - self.whole

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        return wanted(self.question)

    def residual(self, title: str) -> frozenset[str]:
        return frozenset(stems(residual_question(self.question, title, self.language), self.language))


@dataclass(frozen=True)
class _Statement:
    hit: Hit
    span: Span
    stems: list[str]

    @property
    def text(self) -> str:
        return self.hit.text[slice(*self.span)]

    @property
    def fields(self) -> list[Field]:
        """Those that stand in it."""
        start, end = (self.hit.start + edge for edge in self.span)
        return [field for field in self.hit.fields if start <= field.start and field.end <= end]


class _Rarity:
    """Weights of words: what stands in few of the statements counts more."""

    def __init__(self, found: Sequence[_Statement]) -> None:
        self._total = len(found)
        self._counts = Counter(stem for statement in found for stem in set(statement.stems))

    def share(self, wanted_stems: frozenset[str], found: set[str]) -> float:
        """How much of what is wanted was found, 0 to 1."""
        weight = {stem: math.log(1 + self._total / (self._counts[stem] or 0.5)) for stem in wanted_stems}
        return sum(weight[stem] for stem in wanted_stems & found) / (sum(weight.values()) or 1.0)


def _score(statement: _Statement, asked: _Asked, left: frozenset[str], rarity: _Rarity, best: Hit) -> float:
    bag, hit = set(statement.stems), statement.hit
    residual = rarity.share(left, bag)
    typed = _typed(statement.text, asked.kinds)
    return (
        _RESIDUAL * residual
        + _WHOLE * rarity.share(asked.whole, bag)
        + _ADDED * min(1.0, len(asked.added & bag) / _ENOUGH_ADDED)
        + _TYPED * typed
        + _TYPED_RESIDUAL * residual * (typed > 0)
        + _RELEVANCE * (_logit(hit.score) - _logit(best.score))
        + _FIRST * (hit is best)
        + _FOCUS * _inside(statement.span, hit.focus)
        + _FIELD * answers(asked.question, statement.fields)
    )


def _typed(text: str, kinds: frozenset[Kind]) -> float:
    return sum(holds(text, kind) for kind in kinds) / len(kinds) if kinds else 0.0


def _logit(chance: float) -> float:
    chance = min(max(chance, 1e-9), 1 - 1e-9)
    return math.log(chance / (1 - chance))


def _inside(span: Span, focus: Span | None) -> float:
    """The share of the span that lies in the part of the passage most like the question."""
    if focus is None:
        return 0.0
    return max(0, min(span[1], focus[1]) - max(span[0], focus[0])) / max(span[1] - span[0], 1)
