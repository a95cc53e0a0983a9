"""What a date is for its document: told by the words around it, or by the other date of a range."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from app.rag.fields.cues import Cue, cues, words
from app.rag.fields.dates import DayOrder, FoundDate, find_dates, pairs
from app.rag.fields.places import Place
from app.rag.fields.shapes import Field, FieldKind

_MOST_GAP: Final = 3
_LETTER_HEAD: Final = 700
_NEAR: Final = 60
_CONFIDENT, _GENERAL, _LOOSELY, _UNTOLD = 0.95, 0.85, 0.7, 0.5


def find_dated(place: Place, order: DayOrder) -> Iterator[Field]:
    """Every date with its role."""
    found = [each for each in find_dates(place.plain, place.words, order) if place.is_free(each.start, each.end)]
    ranges = pairs(found, place.plain)
    headed = dict(_under_headings(place, found))
    letter_date = True
    for at, each in enumerate(found):
        role, cue, confidence = _role(place, each, ranges.get(at))
        opening = (
            f"{place.label(found[at - 1].start)} … {place.label(each.start)}" if ranges.get(at) == "expires" else ""
        )
        if at in headed and not ranges.get(at):
            role, cue, confidence = headed[at].role, headed[at], _GENERAL
            opening = place.text[cue.start : cue.end]
        if role == "other" and letter_date and _is_letter_date(place, each):
            role, confidence, letter_date = "issued", _LOOSELY, False
        if each.loose and (cue is None or confidence < _LOOSELY):
            continue
        yield _field(place, each, role, cue, round(confidence * each.sure, 3), opening.strip(" …"))


def _role(place: Place, date: FoundDate, in_range: str | None) -> tuple[str, Cue | None, float]:
    small = words("small_dates")  # they say "from" and "until" of anything, so they count only right before a date
    cue = cues("dates").before(place.words_before(date.start), _MOST_GAP, words("date_fillers"))
    if cue and cue.text in small and cue.gap:
        cue = None
    if in_range == "expires":
        return ("other" if _is_span(place, date.start) else "expires"), cue, _CONFIDENT
    if in_range == "starts":
        specific = cue is not None and cue.role in ("other", "born") and cue.text not in small
        return ("other" if specific or _is_span(place, date.start) else "starts"), cue, _CONFIDENT
    behind = cues("dates_after").after(place.words_after(date.end), 0)
    if cue and not (behind and cue.text in small):
        confidence = _GENERAL if cue.text in small else _CONFIDENT
        return cue.role, cue, confidence - 0.1 * cue.gap
    if behind:
        return behind.role, cue or behind, _GENERAL
    return "other", None, _UNTOLD


def _under_headings(place: Place, found: Sequence[FoundDate]) -> Iterator[tuple[int, Cue]]:
    """Dates that stand alone side by side, under a line of as many cues, as in a table."""
    for begin, line in groupby(range(len(found)), lambda at: place.plain.rfind("\n", 0, found[at].start) + 1):
        numbers = list(line)
        end = place.plain.find("\n", begin)
        alone = _without(place.plain, begin, end if end >= 0 else len(place.plain), [found[at] for at in numbers])
        if begin and len(numbers) > 1 and not alone.strip(" |\t"):
            above = place.plain.rfind("\n", 0, begin - 1) + 1
            headings = list(cues("dates").each(place.between(above, begin)))
            if len(headings) == len(numbers):
                yield from zip(numbers, headings, strict=True)


def _without(text: str, begin: int, end: int, dates: Sequence[FoundDate]) -> str:
    edges = [begin, *(edge for each in dates for edge in (each.start, each.end)), end]
    return "".join(text[first:last] for first, last in zip(edges[::2], edges[1::2], strict=True))


def _is_span(place: Place, start: int) -> bool:
    """Whether a range is the time that a bill or statement is about."""
    line = place.plain.rfind("\n", 0, start) + 1
    before = f" {' '.join(word.text for word in place.between(max(line, start - _NEAR), start))} "
    return any(f" {each} " in before for each in words("spans")) and "cover" not in before and "insurance" not in before


def _is_letter_date(place: Place, date: FoundDate) -> bool:
    """Whether it is the date of a letter: alone on its line near the top, but for the name of a place."""
    if place.number != 1 or date.start > _LETTER_HEAD:
        return False
    begin = place.plain.rfind("\n", 0, date.start) + 1
    end = place.plain.find("\n", date.end)
    behind = place.plain[date.end : end if end >= 0 else len(place.plain)]
    before = place.text[begin : date.start].strip(" ,.")
    return not behind.strip(" .") and end >= 0 and len(before.split()) <= 3 and before[:1].isupper() == bool(before)


def _field(place: Place, date: FoundDate, role: str, cue: Cue | None, confidence: float, label: str) -> Field:
    return Field(
        kind=FieldKind.DATE,
        role=role,
        label=label or place.label(date.start, cue.start if cue and cue.start < date.start else None),
        value=date.value,
        text=place.text[date.start : date.end],
        page=place.number,
        start=date.start,
        end=date.end,
        confidence=confidence,
    )
