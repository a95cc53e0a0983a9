"""Machine-readable zones of passports, identity cards and visas (ICAO 9303, parts 4 to 7)."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from app.rag.fields.checks import icao_digit

Span = tuple[int, int]

_LINE = re.compile(r"[A-Z0-9<][A-Z0-9< ]{28,60}[A-Z0-9<]")
_LENGTHS = (30, 36, 44)
_CENTURY = 100


class Part(NamedTuple):
    """A part of a zone: its line, the columns it stands in, and the column of its check digit."""

    line: int
    start: int
    end: int
    check: int | None = None


class _Layout(NamedTuple):
    """Where things stand in a zone of so many lines of such a length."""

    names: Part
    number: Part
    born: Part
    expires: Part
    country: Part
    whole: tuple[Span, ...] | None
    """The stretches of the joined lines that the last check digit is made of."""


# TD3 (passports), TD2 (older cards), TD1 (cards of three lines); visas are laid out like TD3 and TD2 without the last.
_LAYOUTS = {
    (2, 44): _Layout(
        Part(0, 5, 44),
        Part(1, 0, 9, 9),
        Part(1, 13, 19, 19),
        Part(1, 21, 27, 27),
        Part(0, 2, 5),
        ((44, 54), (57, 64), (65, 87)),
    ),
    (2, 36): _Layout(
        Part(0, 5, 36),
        Part(1, 0, 9, 9),
        Part(1, 13, 19, 19),
        Part(1, 21, 27, 27),
        Part(0, 2, 5),
        ((36, 46), (49, 56), (57, 71)),
    ),
    (3, 30): _Layout(
        Part(2, 0, 30),
        Part(0, 5, 14, 14),
        Part(1, 0, 6, 6),
        Part(1, 8, 14, 14),
        Part(0, 2, 5),
        ((5, 30), (30, 37), (38, 45), (48, 59)),
    ),
}


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that was found: what it says, and where its parts stand on the page."""

    lines: tuple[str, ...]
    span: Span
    layout: _Layout
    places: tuple[tuple[int, ...], ...]
    """For each line, where each of its characters stands on the page."""

    def part(self, part: Part) -> str:
        """The characters of a part."""
        return self.lines[part.line][part.start : part.end]

    def place(self, part: Part) -> Span:
        """Where a part stands on the page, without the fillers at its end."""
        length = len(self.part(part).rstrip("<")) or 1
        places = self.places[part.line]
        return places[part.start], places[part.start + length - 1] + 1

    def checks(self, part: Part) -> bool:
        """Whether the check digit of a part fits."""
        if part.check is None:
            return True
        digit = self.lines[part.line][part.check]
        return (digit if digit != "<" else "0") == str(icao_digit(self.part(part)))

    @property
    def names(self) -> tuple[str, str]:
        """Surname and given names."""
        surname, _, given = self.part(self.layout.names).rstrip("<").partition("<<")
        return _words(surname), _words(given)

    @property
    def number(self) -> str:
        """The number of the document."""
        return self.part(self.layout.number).replace("<", "")

    @property
    def intact(self) -> bool:
        """Whether every check digit fits."""
        layout = self.layout
        return all(map(self.checks, (layout.number, layout.born, layout.expires))) and self._whole_fits()

    def _whole_fits(self) -> bool:
        stretches, is_visa = self.layout.whole, self.lines[0].startswith("V")
        if stretches is None or is_visa:
            return True
        joined = "".join(self.lines)
        digit = self.lines[1][29] if len(self.lines) == 3 else joined[-1]
        return digit == str(icao_digit("".join(joined[slice(*each)] for each in stretches)))

    def date(self, part: Part, *, past: bool) -> str | None:
        """A date as `2031-05-31`: one of birth lies in the past of the other date, which lies in this century."""
        digits = self.part(part)
        if not digits.isdecimal():
            return None
        year, month, day = int(digits[:2]), digits[2:4], digits[4:6]
        expiry = self.part(self.layout.expires)[:2]
        latest = int(expiry) if expiry.isdecimal() else _CENTURY
        century = 1900 if past and year > latest - 1 else 2000
        with suppress(ValueError):
            return date.fromisoformat(f"{century + year}-{month}-{day}").isoformat()
        return None


def _words(name: str) -> str:
    return " ".join(each.capitalize() for each in name.split("<") if each)


def find_zones(text: str) -> Iterator[Zone]:
    """The zones of a page; spaces that a reader of pictures has put into a line are ignored."""
    if "<<" not in text.replace(" ", ""):
        return
    lines = [(match.start(), match[0]) for match in _LINE.finditer(text)]
    at = 0
    while at < len(lines):
        zone = _zone(lines[at : at + 3]) or _zone(lines[at : at + 2])
        if zone:
            yield zone
        at += len(zone.lines) if zone else 1


def _zone(lines: list[tuple[int, str]]) -> Zone | None:
    packed = [[(start + at, each) for at, each in enumerate(line) if each != " "] for start, line in lines]
    lengths = {len(each) for each in packed}
    layout = _LAYOUTS.get((len(packed), lengths.pop())) if len(lengths) == 1 else None
    texts = tuple("".join(each for _, each in line) for line in packed)
    if layout is None or not texts[0][0].isalpha() or "<<" not in texts[layout.names.line]:
        return None
    places = tuple(tuple(place for place, _ in line) for line in packed)
    if any(after[0] - before[-1] > 4 for before, after in pairwise(places)):
        return None
    return Zone(texts, (places[0][0], places[-1][-1] + 1), layout, places)
