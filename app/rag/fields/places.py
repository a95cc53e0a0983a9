"""A page on which values are looked for: its text, and what of it is a value already."""

import re
from bisect import bisect_left, bisect_right, insort
from typing import Final

from app.rag.fields.cues import Word, words_of
from app.rag.fields.plain import plain

BEFORE: Final = 110
AFTER: Final = 40
LABEL_CHARACTERS: Final = 80

Span = tuple[int, int]

_SHORTENED: Final = frozenset(["no", "nr", "ref", "reg", "exp", "geb", "tel", "st", "nac", "dr", "mr", "mrs", "art"])
_HARD: Final = re.compile(r"[;\u2022|!?]|\n\s*\n|\.(?=\s)")
_LAST_WORD: Final = re.compile(r"[^\W\d_]+$")
_EDGES: Final = " \t\n\u00a0:;.,#=*-\u2013\u2014\u2022|([\"'"


class Place:
    """One page."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.plain = plain(text)
        self.words = words_of(self.plain)
        self._starts = [word.start for word in self.words]
        self._breaks = [match.end() for match in _HARD.finditer(self.plain) if self._parts(match)]
        self._taken: list[Span] = []

    def _parts(self, match: re.Match[str]) -> bool:
        """Whether a mark ends a sentence: not the full stop of `no.` or of a single letter."""
        if match[0] != ".":
            return True
        word = _LAST_WORD.search(self.plain, max(0, match.start() - 5), match.start())
        return word is None or (len(word[0]) > 1 and word[0] not in _SHORTENED)

    def between(self, start: int, end: int) -> list[Word]:
        """The words of a stretch of the page."""
        return self.words[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    def is_free(self, start: int, end: int) -> bool:
        """Whether no value stands there yet."""
        at = bisect_right(self._taken, (end, -1))
        return not at or self._taken[at - 1][1] <= start

    def free_until(self, start: int, end: int) -> int:
        """Where the first value within this stretch begins, or its end."""
        at = bisect_right(self._taken, (start, -1))
        if at and self._taken[at - 1][1] > start:
            return start
        return min(end, self._taken[at][0]) if at < len(self._taken) else end

    def value_before(self, start: int) -> Span | None:
        """The value that ends right before this place, but for a colon and spaces."""
        at = bisect_right(self._taken, (start, -1))
        if not at or not _COLON.fullmatch(self.plain, self._taken[at - 1][1], start):
            return None
        return self._taken[at - 1]

    def take(self, start: int, end: int) -> None:
        """Say that a value stands there."""
        insort(self._taken, (start, end))

    def clause(self, start: int) -> int:
        """Where the clause begins that leads to a value: after the last value, or the end of a sentence."""
        begin = max(0, start - BEFORE)
        at = bisect_right(self._taken, (start, -1))
        if at:
            begin = max(begin, self._taken[at - 1][1])
        stop = bisect_right(self._breaks, start)
        return max(begin, self._breaks[stop - 1]) if stop else begin

    def lead(self, start: int) -> int:
        """Where the words begin that lead to a value: those of its line, or of the line before if it begins its own."""
        begin = self.clause(start)
        line = self.plain.rfind("\n", begin, start) + 1
        if line <= begin:
            return begin
        if self.between(line, start):
            return line
        return max(begin, self.plain.rfind("\n", begin, line - 1) + 1)

    def words_before(self, start: int) -> list[Word]:
        """The words that lead to a value."""
        return self.between(self.lead(start), start)

    def words_after(self, end: int) -> list[Word]:
        """The words that follow a value in its sentence and line."""
        last = min(len(self.plain), end + AFTER)
        at = bisect_right(self._taken, (end, -1))
        if at < len(self._taken):
            last = min(last, self._taken[at][0])
        stop = _AFTER_BREAK.search(self.plain, end, last)
        return self.between(end, stop.start() if stop else last)

    def label(self, start: int, cue_start: int | None = None) -> str:
        """The words that introduce a value, as they stand there."""
        begin = self.lead(start)
        for match in _COMMA.finditer(self.plain, begin, cue_start if cue_start is not None else start):
            begin = match.end()
        label = " ".join(self.text[begin:start].strip(_EDGES).split())
        return label if len(label) <= LABEL_CHARACTERS else label[-LABEL_CHARACTERS:].partition(" ")[2]


_AFTER_BREAK: Final = re.compile(r"[.;\n\u2022|]")
_COLON: Final = re.compile(r"\s?:\s{0,3}")
_COMMA: Final = re.compile(r",\s")
