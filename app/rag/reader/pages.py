"""A document as a list of pages that are read one by one, when their turn comes."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

PAGE_CHARS: Final = 3_000
_UNWANTED: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_BREAKS: Final = ("\n# ", "\n\n", "\n", ". ", " ")


@dataclass(frozen=True, slots=True)
class PageText:
    """What one page says; the fields are those of `PageEvent`."""

    text: str
    language: str | None = None
    ocr: bool = False
    skipped: bool = False


ReadPage = Callable[[], PageText]


def clean(text: str) -> str:
    """The text with line feeds as line ends, without control characters and lone surrogates; nothing else changes."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def text_pages(texts: Iterable[str], language: str | None = None) -> list[ReadPage]:
    """Pages that need no more work; longer ones are cut as by `paginate`."""
    pieces = (piece for text in texts for piece in paginate(clean(text)))
    return [partial(PageText, piece, language=language) for piece in pieces]


def paginate(text: str) -> Iterator[str]:
    """Cut a text without pages into pieces of at most `PAGE_CHARS`.

    It is cut at form feeds, else in the last half of a piece: before a heading, between paragraphs, lines, sentences
    or words, whichever of these is found first.
    """
    for part in text.split("\f"):
        start = 0
        while len(part) - start > PAGE_CHARS:
            end = _break(part, start)
            yield part[start:end]
            start = end
        yield part[start:]


def _break(text: str, start: int) -> int:
    middle, end = start + PAGE_CHARS // 2, start + PAGE_CHARS
    for mark in _BREAKS:
        at = text.rfind(mark, middle, end)
        if at >= 0:
            return at + (1 if mark.startswith("\n#") else len(mark))
    return end
