"""From a question and its passages to an answer whose every citation is cut out of the stored page."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from app.core.config import Settings
from app.rag import extractive
from app.rag.citations import resolve
from app.rag.model import NOT_FOUND, PASSAGES, Written, without_links, write
from app.rag.ranking import Hit
from app.rag.schemas import AnswerRead, CitationRead, NearestRead, Usage

BUILT_IN = "built-in extractive"
HITS = 20
NOTHING_FOUND = "This was not found in your documents."
HOLD_BACK = 24
"""Characters of a streamed answer that wait for the rest of a marker or link, so that none is shown unproven."""


async def answer(settings: Settings, question: str, hits: Sequence[Hit]) -> AnswerRead:
    """The whole answer. Raises `ModelUnavailable`."""
    async for part in stream(settings, question, hits):
        if isinstance(part, AnswerRead):
            return part
    raise AssertionError("a stream ends with the answer")


async def stream(settings: Settings, question: str, hits: Sequence[Hit]) -> AsyncIterator[str | AnswerRead]:
    """Pieces of text as they come, at last the whole answer. Raises `ModelUnavailable`."""
    quoted = await asyncio.to_thread(extractive.answer, question, hits)
    if not settings.model_url or not quoted.found:
        result = _extractive(quoted, len(hits))
        yield result.answer
        yield result
        return
    written = Written()
    async for piece in _held_back(write(settings, question, hits[:PASSAGES], written)):
        yield piece
    yield _written(settings, written, hits[:PASSAGES], quoted)


def _extractive(quoted: extractive.Answer, passages: int) -> AnswerRead:
    return AnswerRead(
        found=quoted.found,
        answer=quoted.answer if quoted.found else NOTHING_FOUND,
        citations=[CitationRead.model_validate(each) for each in quoted.citations],
        nearest=_nearest(quoted),
        usage=Usage(model=BUILT_IN, passages=passages, prompt_tokens=0, completion_tokens=0),
    )


def _written(settings: Settings, written: Written, hits: Sequence[Hit], quoted: extractive.Answer) -> AnswerRead:
    """The model's words with proven citations; without a single one it counts as not found."""
    text, citations = resolve(without_links(written.text).strip(), hits)
    found = bool(citations) and NOT_FOUND not in text
    return AnswerRead(
        found=found,
        answer=text if found else NOTHING_FOUND,
        citations=[CitationRead.model_validate(each) for each in citations] if found else [],
        nearest=_nearest(quoted),
        usage=Usage(
            model=settings.model_name,
            passages=len(hits),
            prompt_tokens=written.prompt_tokens,
            completion_tokens=written.completion_tokens,
        ),
    )


def _nearest(quoted: extractive.Answer) -> list[NearestRead]:
    return [NearestRead(document_id=hit.document_id, title=hit.title) for hit in quoted.nearest]


async def _held_back(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The text without markers and links, which only the whole answer can prove; the end waits until it is clear."""
    waiting = ""
    async for piece in pieces:
        waiting += piece
        if NOT_FOUND.startswith(waiting.strip()) or NOT_FOUND in waiting:
            continue
        cut = _clear_until(waiting)
        if cut:
            yield _plain(waiting[:cut])
            waiting = waiting[cut:]
    if waiting and NOT_FOUND not in waiting:
        yield _plain(waiting)


def _clear_until(text: str) -> int:
    opened = max(text.rfind(mark) for mark in ("[", "【", "http"))
    if opened >= 0 and not text[opened:].rstrip().endswith(("]", "】", ")")) and len(text) - opened < 10 * HOLD_BACK:
        return opened
    return max(len(text) - HOLD_BACK, 0) if text[-1:] not in " \n" else len(text)


def _plain(text: str) -> str:
    return resolve(without_links(text), [])[0]
