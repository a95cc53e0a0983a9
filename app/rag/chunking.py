"""Pages cut into chunks: pieces that fit a search index, each with its exact place on its page."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.rag.document import Chunk, Page

CHUNK_CHARS: Final = 900
HEADING_CHARS: Final = 80
PATH_SEPARATOR: Final = " > "
_MARKDOWN: Final = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_WORDS: Final = r"(?:Article|Section|Clause|Part|Chapter|Schedule|Annex|§)\s*"
_NUMBERED: Final = re.compile(
    rf"(?:{_WORDS}(\d+(?:\.\d+)*)\b|(\d{{1,2}}(?:\.\d{{1,2}})+|\d{{1,2}}(?=[.)]))[.)]?\s+[A-ZÀ-Þ])"
)
_SENTENCE_END: Final = (".", ",", ";", "!", "?")
_TOP: Final = 1


def chunk_pages(pages: Sequence[Page]) -> list[Chunk]:
    """The chunks of a document in order: at most `CHUNK_CHARS` long, cut at the best break, never across pages.

    `chunk.text == page.text[chunk.start:chunk.end]`, without white space at either end; nothing overlaps, and only
    white space is left out. `heading` is the path of headings that the chunk stands under, over page breaks.
    """
    from semantic_text_splitter import TextSplitter  # noqa: PLC0415 - only who indexes needs this library

    splitter = TextSplitter(CHUNK_CHARS, trim=False)
    path: list[tuple[int, str]] = []
    chunks: list[Chunk] = []
    for page in pages:
        headings = list(_headings(page.text))
        for start, piece in splitter.chunk_indices(page.text):
            text = piece.strip()
            start += len(piece) - len(piece.lstrip())
            if text:
                while headings and headings[0][0] <= start:
                    _enter(path, *headings.pop(0)[1:])
                chunks.append(Chunk(page.number, start, start + len(text), text, _join(path)))
        for _, level, title in headings:
            _enter(path, level, title)
    return chunks


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """Place, level (1 is the top) and title of the lines that look like headings."""
    start = 0
    for line in text.split("\n"):
        heading = _heading(line.strip())
        if heading:
            yield start + len(line) - len(line.lstrip()), *heading
        start += len(line) + 1


def _enter(path: list[tuple[int, str]], level: int, title: str) -> None:
    """Go to a heading: it ends those of its own level and below."""
    while path and path[-1][0] >= level:
        path.pop()
    path.append((level, title))


def _join(path: list[tuple[int, str]]) -> str:
    return PATH_SEPARATOR.join(title for _, title in path)


def _heading(line: str) -> tuple[int, str] | None:
    if not line or len(line) > HEADING_CHARS:
        return None
    if markdown := _MARKDOWN.match(line):
        return len(markdown[1]), markdown[2]
    if line.endswith(_SENTENCE_END):
        return None
    if numbered := _NUMBERED.match(line):
        return _TOP + 1 + (numbered[1] or numbered[2]).count("."), line
    words = line.split()
    return (_TOP, line) if line.isupper() and len(words) > 1 and line.replace(" ", "").isalpha() else None
