"""Telephone numbers and e-mail addresses."""

import re
from collections.abc import Iterator
from typing import Final

from app.rag.fields.places import Place
from app.rag.fields.shapes import Field, FieldKind

_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_INTERNATIONAL: Final = re.compile(
    r"(?:\+(?<![\w+].)|0(?<![\w+].)0(?=[1-9]))\d{1,3}(?:[ ./-]?\(?\d{1,5}\)?){2,6}(?!\w)"
)
_NATIONAL: Final = re.compile(
    r"(?:0(?<![\w/.,+-].)|\((?<![\w/.,+-].)0)\d{1,5}\)?(?:[ ./-]{1,3}\d{2,8}){1,5}(?![\w/]|[.,-]\d)"
)
_CALLED: Final = re.compile(
    r"(?:\d(?<![\w/.,+-].)|\((?<![\w/.,+-].)\d)\d{1,4}\)?(?:[ .-]\d{2,5}){1,4}(?![\w/]|[.,-]\d)|"
    r"\d(?<![\w/.,+-].)\d{5,11}(?![\w/]|[.,-]\d)"
)
_CUE: Final = re.compile(
    r"\b(?:tel|telephone|telefon|telefono|telefonnummer|phone|phones|call|ring|dial|mobile|mobil|mobiltelefon|handy|fax|"
    r"telefax|hotline|helpline|line|notruf|rufnummer|portable|movil|llame al|appelez le|anrufen unter)\b[^\w\n]{0,4}"
    r"(?:(?:number|no|nr|us on|us at|on|at|us|is|:)\W{1,2}){0,2}$"
)
_FAX: Final = re.compile(r"\b(?:tele)?fax\b")
_NEAR: Final = 40
_FEWEST: Final = 6
_MOST: Final = 16


def find_marked_contacts(place: Place) -> Iterator[Field]:
    """E-mail addresses, and telephone numbers with the code of a country: nothing else looks like them."""
    for match in _EMAIL.finditer(place.text) if "@" in place.text else ():
        if place.is_free(*match.span()):
            yield _field(place, FieldKind.EMAIL, "email", match, match[0].lower(), 0.98)
    for match in _INTERNATIONAL.finditer(place.plain):
        digits = re.sub(r"\D", "", match[0]).removeprefix("00")
        if field := _phone(place, match, f"+{digits}", 0.0 if match[0].startswith("0") else 0.9):
            yield field


def find_contacts(place: Place) -> Iterator[Field]:
    """Telephone numbers of the country: with a leading 0, or words that announce them."""
    for pattern, bare in ((_CALLED, 0.0), (_NATIONAL, 0.75)):
        for match in pattern.finditer(place.plain):
            if field := _phone(place, match, re.sub(r"\D", "", match[0]), bare):
                yield field


def _phone(place: Place, match: re.Match[str], value: str, bare: float) -> Field | None:
    """The number, if words announce it, or if it is believed without any (`bare`)."""
    called = _CUE.search(place.plain[max(0, match.start() - _NEAR) : match.start()])
    if not (called or bare) or not _FEWEST <= len(value) <= _MOST or not place.is_free(*match.span()):
        return None
    role = "fax" if called and _FAX.search(called[0]) else "phone"
    return _field(place, FieldKind.PHONE, role, match, value, 0.95 if called else bare)


def _field(place: Place, kind: FieldKind, role: str, match: re.Match[str], value: str, confidence: float) -> Field:
    start, end = match.span()
    label = place.label(start)
    return Field(kind, role, label, value, place.text[start:end], place.number, start, end, confidence)
