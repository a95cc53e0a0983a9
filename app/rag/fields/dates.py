"""Dates in a text, in the ways that English, German, French, Spanish and similar documents write them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from app.rag.fields.calendar_words import MONTH, MONTHS
from app.rag.fields.cues import Word

FIRST_YEAR: Final = 1850
LAST_YEAR: Final = 2150
PIVOT: Final = 70
"""Two digits from here on mean a year of the last century."""

_DAY_WORD = r"(?:day\s+of\s+|of\s+|de\s+|del\s+|d'|di\s+|van\s+)?"
_YEAR = r"(?P<year>\d{4}|'\d{2})(?!\d)(?![.,]\d)"
_SHORT_YEAR = r"(?P<year>\d{4}|\d{2})(?!\d)"
_ALONE = r"(?<![\w./-].)"
"""Behind the first digit of a date: what stands before it is not part of a longer number or word."""
_NAMED: Final = (
    re.compile(
        rf"(?P<day>\d{_ALONE}\d?)(?:st|nd|rd|th|er|\.|°|º)?\s{{0,3}}{_DAY_WORD}(?P<month>{MONTH})\b\.?"
        rf"(?:\s?/\s?[a-z]{{3,9}}\b\.?)?(?:,?\s{{1,3}}(?:de\s+|del\s+|of\s+|in\s+the\s+year\s+)?|,){_YEAR}"
    ),
    re.compile(
        rf"(?P<day>\d{_ALONE}\d?)(?P<mark>[ /.-]?)(?P<month>{MONTH})\.?(?:\s?/\s?[a-z]{{3,9}}\b\.?)?"
        rf"(?:(?P=mark)|[ -]){_SHORT_YEAR}(?![:.,]\d)"
    ),
    re.compile(rf"\b(?P<month>{MONTH})\.?\s{{1,3}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,\s{{0,3}}|\s{{1,3}}){_YEAR}"),
)
_ISO: Final = re.compile(
    rf"(?P<year>\d{_ALONE}\d{{3}})(?P<mark>[./-])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}})(?![\w/-])"
)
_NUMERIC: Final = re.compile(
    rf"(?P<first>\d{_ALONE}\d?)(?P<mark>[./-]|\. | / | - | )(?P<second>\d{{1,2}})(?P=mark){_SHORT_YEAR}"
    r"(?![\w/-])(?![.,]\d)"
)
_NAMED_MONTH: Final = re.compile(
    rf"(?<![\w./-])(?<!\d )(?P<month>{MONTH})\b\.?\s{{1,3}}(?:de\s+|del\s+|of\s+)?(?P<year>\d{{4}})(?!\d)"
)
_MONTHS_ONLY: Final = (
    re.compile(rf"(?P<month>\d{_ALONE}\d?)\s?[./-]\s?(?P<year>(?:19|20)\d{{2}})(?![\w/-])(?![.,]\d)"),
    re.compile(rf"(?P<month>[01]{_ALONE}\d)\s?/\s?(?P<year>\d{{2}})(?![\w/-])(?![.,]\d)"),
)
_RANGE: Final = re.compile(
    r"[\s,]{0,3}(?:(?:and\s+|et\s+|und\s+|y\s+)?(?:to|until|till|through|thru|up to|ending(?: on)?|bis(?: zum)?|"
    r"bis einschliesslich|au|jusqu'au|a|al|hasta(?: el)?|fino al|t/m|tot)"
    r"(?:\s+(?:and including|midnight(?: on)?|the|el|zum|le))?|-)\s{0,3}"
)
_AROUND: Final = 30
"""A name of a month and all of its date stand within so many characters."""


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date: `value` is `2031-05-31`, or `2031-05` where no day is said.

    `sure` is below 1 where day and month could be told only from what else is known; `loose` dates are so written that
    they are believed only where the words before them announce a date.
    """

    start: int
    end: int
    value: str
    sure: float = 1.0
    loose: bool = False


@dataclass(frozen=True, slots=True)
class DayOrder:
    """Which comes first in dates of numbers only, and how sure that is."""

    day_first: bool
    sure: float


def day_order(pages: Iterable[str], language: str) -> DayOrder:
    """Told by dates of the document of which one number can't be a month, else by its language and its money."""
    votes, dollars = 0, 0
    for page in pages:
        for match in _NUMERIC.finditer(page):
            first, second = int(match["first"]), int(match["second"])
            if match["mark"] == " ":
                continue  # as likely a telephone number
            votes += (first > 12 >= second) - (second > 12 >= first)
        dollars += page.count("$") + page.count("u.s.")
    if votes:
        return DayOrder(votes > 0, 1.0)
    if language != "en":
        return DayOrder(True, 0.95)
    return DayOrder(not dollars, 0.7)


def find_dates(text: str, words: Sequence[Word], order: DayOrder) -> list[FoundDate]:
    """Every date of a plain text, in order; of two readings the longer one. `words` are those of the text."""
    found = sorted({*_named(text, words), *_in_figures(text, order)}, key=lambda each: (each.start, -each.end))
    kept: list[FoundDate] = []
    for each in found:
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
        elif each.end > kept[-1].end and each.start == kept[-1].start:
            kept[-1] = each
    return kept


def _named(text: str, words: Sequence[Word]) -> Iterator[FoundDate]:
    """Dates with the name of their month."""
    for word in words:
        if word.text not in MONTHS and not (word.text[0].isdecimal() and not word.text.isdecimal()):
            continue
        around = max(0, word.start - _AROUND), word.end + _AROUND
        for pattern in _NAMED:
            for match in pattern.finditer(text, *around):
                if made := _made(match["year"], MONTHS[match["month"]], match["day"]):
                    yield FoundDate(*match.span(), made, loose=len(match["year"]) == 2)
        for match in _NAMED_MONTH.finditer(text, *around):
            if made := _made(match["year"], MONTHS[match["month"]], None):
                yield FoundDate(*match.span(), made)


def _in_figures(text: str, order: DayOrder) -> Iterator[FoundDate]:
    """Dates of figures alone."""
    for match in _ISO.finditer(text):
        if made := _made(match["year"], int(match["month"]), match["day"]):
            yield FoundDate(*match.span(), made)
    for match in _NUMERIC.finditer(text):
        yield from _numeric(match, order)
    for pattern in _MONTHS_ONLY:
        for match in pattern.finditer(text):
            if made := _made(match["year"], int(match["month"]), None):
                yield FoundDate(*match.span(), made, loose=True)


def _numeric(match: re.Match[str], order: DayOrder) -> Iterator[FoundDate]:
    first, second, year = int(match["first"]), int(match["second"]), match["year"]
    loose = match["mark"] == " " or len(year) == 2
    readings = ((first, second), (second, first)) if order.day_first else ((second, first), (first, second))
    possible = [made for day, month in readings if (made := _made(year, month, str(day)))]
    if possible:
        sure = order.sure if len(set(possible)) > 1 else 1.0
        yield FoundDate(*match.span(), possible[0], sure, loose)


def _made(year: str, month: int, day: str | None) -> str | None:
    number = int(year.lstrip("'"))
    if len(year) < 4:
        number += 1900 if number >= PIVOT else 2000
    with suppress(ValueError):
        made = date(number, month, int(day or 1))
        if FIRST_YEAR <= number <= LAST_YEAR:
            return made.isoformat() if day else made.isoformat()[:7]
    return None


def joins_range(between: str) -> bool:
    """Whether this text between two dates makes them the begin and the end of a time."""
    return _RANGE.fullmatch(between) is not None


def pairs(dates: Sequence[FoundDate], text: str) -> dict[int, str]:
    """For the dates that are joined to a range, by their numbers, whether they begin or end it."""
    found: dict[int, str] = {}
    for at, (one, other) in enumerate(pairwise(dates)):
        if at not in found and joins_range(text[one.end : other.start]) and one.value <= other.value:
            found[at], found[at + 1] = "starts", "expires"
    return found
