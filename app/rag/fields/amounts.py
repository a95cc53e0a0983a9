"""Sums of money and percentages."""

import re
from collections.abc import Iterator
from typing import Final

from app.rag.fields.cues import Cue, cues, words
from app.rag.fields.places import Place
from app.rag.fields.shapes import Field, FieldKind

_CURRENCIES: Final = {
    "EUR": "\u20ac eur euro euros",
    "USD": "us$ $ usd dollar dollars",
    "GBP": "\u00a3 gbp pound pounds pfund",
    "CHF": "chf sfr franken francs",
    "INR": "\u20b9 inr rs rupee rupees",
    "JPY": "\u00a5 jpy yen",
    "SEK": "sek",
    "NOK": "nok",
    "DKK": "dkk",
    "PLN": "pln zl zloty",
    "CZK": "czk",
    "CAD": "cad c$",
    "AUD": "aud a$",
}
_CODES: Final = {word: code for code, words in _CURRENCIES.items() for word in words.split()}
_MARK: Final = "|".join(sorted(map(re.escape, _CODES), key=len, reverse=True))
_GROUPED: Final = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_BARE: Final = r"\d{1,3}(?:[.,']\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_ENDS: Final = r"(?:,-{1,2}|\.-{1,2})?(?![\d])"
_BEFORE: Final = re.compile(rf"(?<![\w$])(?P<mark>{_MARK})\.?\s?(?P<number>{_GROUPED}){_ENDS}(?![.,]\d)")
_BEHIND: Final = re.compile(rf"(?=\d)(?<![\w.,/-])(?P<number>{_GROUPED})(?:,-{{1,2}})?\s?(?P<mark>{_MARK})(?!\w)")
_UNIT: Final = (
    r"\s?(?:%|per\s?cent|percent|prozent|pour\s?cent|por\s?ciento|years?|months?|weeks?|days?|hours?|minutes?|times?|working|"
    r"km|kilomet\w+|miles?|kwh|kg|mg|ml|m2|qm|jahre?n?|monate?n?|wochen?|tage?n?|stunden?|ans?|annees?|mois|semaines?|jours?|"
    r"heures?|anos?|meses|mes|semanas?|dias?|horas?|equal|points?|shares?|persons?|people|copies|pages?|st|nd|rd|th|am|pm|uhr|per\s+1)\b"
    r"|\s?[%\u00b0]|:\s?\d"
)
_PLAIN: Final = re.compile(rf"(?<![\w.,/:'+-])(?P<number>{_BARE})(?![\w/-])(?![.,']\d)(?!{_UNIT})")
_PERCENT: Final = re.compile(
    r"(?<![\w.,/-])(?P<number>\d{1,3}(?:[.,]\d{1,4})?)\s?(?:%|per\s?cent\b|percent\b|prozent\b|pour\s?cent\b|por\s?ciento\b|procent\b)"
)
_RATE: Final = re.compile(
    r"\b(?:rate|interest|zins\w*|sollzins|effektivzins|taux|interets?|tipo|interes|tae|tasso|rente)\b"
)
_BUYING: Final = re.compile(r"\b(?:bought|purchased|sold|paid|gekauft|verkauft|achete|vendu|comprado|vendido)\b")
_BUYING_NEAR: Final = 60
_OVER_DATE_GAP: Final = 2
_MOST_GAP: Final = 1
_MARKED_GAP: Final = 3


def find_marked(place: Place) -> Iterator[Field]:
    """Every sum with a currency, and every percentage."""
    for pattern in (_BEFORE, _BEHIND):
        for match in pattern.finditer(place.plain):
            if place.is_free(*match.span()):
                yield _amount(place, match, _CODES[match["mark"]])
    for match in _PERCENT.finditer(place.plain):
        if place.is_free(*match.span()):
            yield _percentage(place, match)


def find_amounts(place: Place) -> Iterator[Field]:
    """Numbers that the words before them make a sum."""
    for match in _PLAIN.finditer(place.plain):
        if place.is_free(*match.span()) and (field := _unmarked(place, match)):
            yield field


def decimal(number: str) -> str:
    """A number as it is written in any of our languages, as `1234.50`."""
    digits = number.replace(" ", "").replace("'", "")
    mark = max(digits.rfind("."), digits.rfind(","))
    if mark < 0 or (len(digits) - mark == 4 and (digits.count(digits[mark]) > 1 or _one_sort(digits))):
        return digits.replace(".", "").replace(",", "")
    whole = digits[:mark].replace(".", "").replace(",", "")
    return f"{whole}.{digits[mark + 1 :]}"


def _one_sort(digits: str) -> bool:
    return not ("." in digits and "," in digits)


def _amount(place: Place, match: re.Match[str], currency: str) -> Field:
    over = place.value_before(match.start())
    start = over[0] if over else match.start()
    cue = cues("amounts").before(place.words_before(start), _MARKED_GAP, words("amount_fillers"))
    cue = cue or cues("amounts").after(place.words_after(match.end()), 0)
    return _field(place, match, cue, 0.95 if cue else 0.9, currency, start)


def _unmarked(place: Place, match: re.Match[str]) -> Field | None:
    """A number that the words before it make a sum, also over the date that they name: `Balance on 3 May: 200`."""
    start = match.start()
    if over := place.value_before(start):
        start = over[0]
    cue = cues("amounts").before(
        place.words_before(start), _OVER_DATE_GAP if over else _MOST_GAP, words("amount_fillers")
    )
    if cue is None or (cue.text in words("needs_currency") and not _is_sum(place, cue, match["number"])):
        return None
    between = place.plain[cue.end : start]
    if any(each in between.strip(" .:") for each in ",.("):
        return None
    return _field(place, match, cue, 0.85 - 0.15 * cue.gap, None, start)


def _is_sum(place: Place, cue: Cue, number: str) -> bool:
    """Whether a number behind a small word is money: it has groups of thousands, or something is bought."""
    line = place.plain.rfind("\n", 0, cue.start) + 1
    bought = cue.role == "price" and _BUYING.search(place.plain, max(line, cue.start - _BUYING_NEAR), cue.start)
    return bool(bought or re.search(r"[.,']\d{3}$", number))


def _field(
    place: Place, match: re.Match[str], cue: Cue | None, confidence: float, currency: str | None, label_end: int = -1
) -> Field:
    start, end = match.span()
    label_end = start if label_end < 0 else label_end
    return Field(
        kind=FieldKind.AMOUNT,
        role=cue.role if cue else "other",
        label=place.label(label_end, cue.start if cue and cue.start < label_end else None),
        value=decimal(match["number"]),
        text=place.text[start:end],
        page=place.number,
        start=start,
        end=end,
        confidence=confidence,
        currency=currency,
    )


def _percentage(place: Place, match: re.Match[str]) -> Field:
    start, end = match.span()
    return Field(
        kind=FieldKind.PERCENTAGE,
        role="rate" if _RATE.search(place.plain, place.clause(start), end + 20) else "other",
        label=place.label(start),
        value=match["number"].replace(",", "."),
        text=place.text[start:end],
        page=place.number,
        start=start,
        end=end,
        confidence=0.9,
    )
