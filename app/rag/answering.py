"""From a question and its passages to an answer whose every citation is cut out of the stored page.

Without a language model, and whenever the one that is configured does not answer or proves nothing, the best sentences
are quoted as they stand; `usage.model` says who answered.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from app.core.config import Settings
from app.rag import extractive
from app.rag.citations import Citation
from app.rag.completions import Written
from app.rag.errors import ModelUnavailable
from app.rag.framing import PASSAGES
from app.rag.model import write
from app.rag.proving import Prover
from app.rag.ranking import Hit
from app.rag.schemas import AnswerRead, CitationRead, NearestRead, Usage

BUILT_IN = "built-in extractive"
HITS = 20
NOTHING_FOUND = "This was not found in your documents."
WORTH_ASKING = 0.05
"""`answerable` from which a model is asked: far below `extractive.FOUND`, for a model sees through paraphrases and may
say that the passages don't answer. Of the held-out questions in none of the paper's words 8 % are below it."""


async def answer(settings: Settings, question: str, hits: Sequence[Hit]) -> AnswerRead:
    """The whole answer."""
    async with aclosing(stream(settings, question, hits)) as parts:
        return [part async for part in parts if isinstance(part, AnswerRead)][-1]


async def stream(settings: Settings, question: str, hits: Sequence[Hit]) -> AsyncGenerator[str | AnswerRead, None]:
    """Pieces of text as they come, at last the whole answer, whose text is those pieces joined."""
    quoted = await asyncio.to_thread(extractive.answer, question, hits)
    shown, result = "", _quotes(quoted, Written(), len(hits))
    if settings.model_url and hits and hits[0].answerable >= WORTH_ASKING:
        asked = _Asked(settings, question, hits[:PASSAGES])
        async with aclosing(asked.pieces()) as pieces:
            async for piece in pieces:
                yield piece
        shown, result = asked.prover.text, asked.result(quoted)
    if rest := result.answer.removeprefix(shown):
        yield rest
    yield result


class _Asked:
    """A question put to the model, and what became of it."""

    def __init__(self, settings: Settings, question: str, hits: Sequence[Hit]) -> None:
        self.prover = Prover(question, hits)
        self._settings = settings
        self._question = question
        self._hits = hits
        self._written = Written()
        self._broke_off = False

    async def pieces(self) -> AsyncGenerator[str, None]:
        """What is proven, as it is written."""
        try:
            async with aclosing(write(self._settings, self._question, self._hits, self._written)) as raw:
                async for piece in raw:
                    if shown := self.prover.feed(piece):
                        yield shown
        except ModelUnavailable:
            self._broke_off = True
        if (self.prover.text or not self._broke_off) and (shown := self.prover.finish(whole=self._written.whole)):
            yield shown

    def result(self, quoted: extractive.Answer) -> AnswerRead:
        """The model's answer; quotes in its place, or behind what it wrote, if it proved nothing or broke off."""
        if not self.prover.text and not self.prover.refused:
            return _quotes(quoted, self._written, len(self._hits))
        text, citations, model = self.prover.text, list(self.prover.citations), self._settings.model_name
        if self._broke_off:
            model = f"{model}, {BUILT_IN}"
            for citation in quoted.citations:
                if citation not in citations:
                    citations.append(citation)
                    text += f"\n“{' '.join(citation.quote.split())}” [{len(citations)}]"
        return _read(quoted, text, citations, _usage(model, self._written, len(self._hits)))


def _quotes(quoted: extractive.Answer, written: Written, passages: int) -> AnswerRead:
    return _read(quoted, quoted.answer, quoted.citations, _usage(BUILT_IN, written, passages))


def _read(quoted: extractive.Answer, text: str, citations: Sequence[Citation], usage: Usage) -> AnswerRead:
    return AnswerRead(
        found=bool(citations),
        answer=text if citations else NOTHING_FOUND,
        citations=[CitationRead.model_validate(citation) for citation in citations],
        nearest=[NearestRead(document_id=hit.document_id, title=hit.title) for hit in quoted.nearest],
        usage=usage,
    )


def _usage(model: str, written: Written, passages: int) -> Usage:
    tokens = {"prompt_tokens": written.prompt_tokens, "completion_tokens": written.completion_tokens}
    return Usage(model=model, passages=passages, **tokens)
