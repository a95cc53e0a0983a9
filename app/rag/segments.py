"""Sentences of a text, and the overlapping windows of sentences that are embedded."""

import re
from collections.abc import Iterator

WINDOW_CHARACTERS = 400
STRIDE_CHARACTERS = 200
SHORT_CHARACTERS = 40
STATEMENT_CHARACTERS = 480

Span = tuple[int, int]

_BREAK = re.compile(
    r"\n+|(?<=[.!?।。])[\"'\u201d\u2019)\]]*\s+(?=[\"'\u201c\u2018(\[]?[A-Z0-9À-ÞА-Я\u0900-\u0dff\u3040-\u9fff])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|No|Nos|Inc|Co|Corp|Ltd|Mr|Mrs|Ms|Dr|St|Art|Sec|vs?|Fig|Nr|approx|i\.e|e\.g|U\.S|U\.K)\.|"
    r"(?:^|\s)\d{1,2}(?:\.\d{1,2})*\.)$"
)


def sentences(text: str) -> list[Span]:
    """Spans of sentences and lines, without the white space around them, in order."""
    spans: list[Span] = []
    start = 0
    for match in _BREAK.finditer(text):
        if "\n" not in match[0] and _ABBREVIATION.search(text, max(0, start), match.start()):
            continue
        spans.append((start, match.end()))
        start = match.end()
    spans.append((start, len(text)))
    return [span for span in (_stripped(text, *span) for span in spans) if span[0] < span[1]]


def statements(text: str) -> list[Span]:
    """What can be quoted alone: sentences, short ones (headings, "Units used:") together with the next."""
    spans: list[Span] = []
    open_since: int | None = None
    for start, end in sentences(text):
        begin = start if open_since is None else open_since
        if end - begin < SHORT_CHARACTERS:
            open_since = begin
            continue
        spans.extend(_pieces(text, begin, end, STATEMENT_CHARACTERS))
        open_since = None
    if open_since is not None:
        spans.append(_stripped(text, open_since, len(text)))
    return spans


def windows(text: str) -> list[Span]:
    """Overlapping spans of whole sentences, about `WINDOW_CHARACTERS` long, that cover all sentences; at least one."""
    atoms = [piece for span in sentences(text) for piece in _pieces(text, *span, WINDOW_CHARACTERS)] or [(0, len(text))]
    spans: list[Span] = []
    first = 0
    while first < len(atoms):
        last = first
        while last + 1 < len(atoms) and atoms[last + 1][1] - atoms[first][0] <= WINDOW_CHARACTERS:
            last += 1
        spans.append((atoms[first][0], atoms[last][1]))
        if last + 1 == len(atoms):
            break
        first = _next_start(atoms, first, last)
    return spans


def _next_start(atoms: list[Span], first: int, last: int) -> int:
    """The first atom a stride further, but never one that would leave a gap."""
    for at in range(first + 1, last + 1):
        if atoms[at][0] - atoms[first][0] >= STRIDE_CHARACTERS:
            return at
    return last + 1


def _pieces(text: str, start: int, end: int, limit: int) -> Iterator[Span]:
    """A span longer than `limit`, cut at white space."""
    while end - start > limit:
        cut = text.rfind(" ", start + limit // 2, start + limit)
        cut = cut if cut > 0 else start + limit
        yield _stripped(text, start, cut)
        start = cut
    if (span := _stripped(text, start, end))[0] < span[1]:
        yield span


def _stripped(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
