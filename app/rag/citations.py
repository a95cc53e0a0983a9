"""Quotes that are proven: every one is cut out of the stored page anew, or not shown."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.rag.ranking import Hit
from app.rag.segments import Span, sentences, statements
from app.rag.text import stems

_MARKER = re.compile(r"[ \t]*[\[【](\d{1,3}(?:\s*[,;]\s*\d{1,3})*)[\]】]")
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{12,}?)[\"”]")


@dataclass(frozen=True, slots=True)
class Citation:
    """`quote == page_text[start:end]` (code points) on page `page` (from 1) of the document version."""

    document_id: UUID
    version_id: UUID
    title: str
    page: int
    start: int
    end: int
    quote: str


def cite(hit: Hit, start: int, end: int) -> Citation:
    """The citation of `hit.text[start:end]`."""
    return Citation(
        document_id=hit.document_id,
        version_id=hit.version_id,
        title=hit.title,
        page=hit.page,
        start=hit.start + start,
        end=hit.start + end,
        quote=hit.text[start:end],
    )


def verify(quote: str, page_text: str, hint_start: int = 0) -> Span | None:
    """Where `quote` stands in the page, white space aside; the place nearest to `hint_start`, or None."""
    pieces = quote.split()
    if not pieces:
        return None
    places = re.finditer(r"\s+".join(map(re.escape, pieces)), page_text)
    return min((match.span() for match in places), key=lambda span: abs(span[0] - hint_start), default=None)


def resolve(answer_text: str, hits: Sequence[Hit]) -> tuple[str, list[Citation]]:
    """A model's answer about passages labelled [1], [2], …: the text with proven markers, and their citations.

    Markers are numbered anew in the order of the citations; one that points to no passage is dropped. What the model
    put into quotation marks loses them unless it stands in a cited passage word for word.
    """
    citations: list[Citation] = []
    pieces: list[str] = []
    begin = 0
    for match in _MARKER.finditer(answer_text):
        claim = answer_text[begin : match.start()]
        labels = [int(label) for label in re.findall(r"\d+", match[1])]
        found = [_best_window(claim, hits[label - 1]) for label in labels if 1 <= label <= len(hits)]
        numbers = sorted({_number(citation, citations) for citation in found})
        pieces += [claim, f" [{', '.join(map(str, numbers))}]" if numbers else ""]
        begin = match.end()
    pieces.append(answer_text[begin:])
    return without_false_quotes("".join(pieces), hits), citations


def _number(citation: Citation, citations: list[Citation]) -> int:
    if citation not in citations:
        citations.append(citation)
    return citations.index(citation) + 1


def _best_window(claim: str, hit: Hit) -> Citation:
    """What the model quoted if it is there, or else the sentence that shares most words with the claim's last one."""
    for quoted in reversed(_QUOTED.findall(claim)):
        if span := verify(quoted, hit.text):
            return cite(hit, *span)
    last = claim[sentences(claim)[-1][0] :] if sentences(claim) else claim
    meant = set(stems(last))
    spans = statements(hit.text) or [(0, len(hit.text))]
    return cite(hit, *max(spans, key=lambda span: (_overlap(meant, hit.text[slice(*span)]), -span[0])))


def _overlap(meant: set[str], text: str) -> float:
    found = set(stems(text))
    return len(meant & found) / math.sqrt(len(found) + 8)


def without_false_quotes(text: str, hits: Sequence[Hit]) -> str:
    """The text without quotation marks around longer words that stand in none of the passages."""

    def keep(match: re.Match[str]) -> str:
        return match[0] if any(verify(match[1], hit.text) for hit in hits) else match[1]

    return _QUOTED.sub(keep, text)
