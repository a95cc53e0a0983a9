"""Names of persons and organisations, where words before them, a title or a legal form tell that they are names."""

import re
from collections.abc import Iterator
from typing import Final

from app.rag.fields.cues import cues, words
from app.rag.fields.places import Place
from app.rag.fields.shapes import Field, FieldKind

_CAPITAL: Final = r"[A-ZÀ-ÖØ-Þ](?:\.|[\w'\u2019]*(?:-[A-ZÀ-ÖØ-Þ][\w'\u2019]*)*)"
_PARTICLE: Final = r"(?:van|von|zu|zur|der|den|de|del|della|di|da|dos|la|le|el|al|bin|y|of)"
_AND: Final = r"(?:\s?&\s?|\s+(?:and|und|et|y|e)\s+)"
_PERSON: Final = rf"{_CAPITAL}(?:[ \u00a0](?:{_PARTICLE}[ \u00a0]){{0,2}}{_CAPITAL}){{0,4}}"
_NAME: Final = re.compile(rf"(?P<name>{_PERSON}(?:{_AND}{_PERSON}){{0,3}})")
_TITLED: Final = re.compile(
    rf"(?<!\w)(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau|Monsieur|Madame|Mme|Don|Doña|Sra?)\.?[ \u00a0](?P<name>{_PERSON})"
)
_FORM: Final = (
    r"(?:Ltd|Limited|Inc|LLC|LLP|PLC|plc|GmbH|AG|SE|KGaA|KG|OHG|eG|SA|S\.A\.|SAS|SARL|S\.L\.|SL|SpA|NV|BV|Bank|Insurance|"
    r"Assurance|Assurances|Mutual|Health|Life|Savings|Versicherung|Versicherungen|Krankenkasse|Sparkasse|Volksbank|Banco|Banque|"
    r"Seguros|Mutuelle|Trust|Fund|Group|Society|Company|Hospital|University|Energie|Stadtwerke|Caja)"
)
_COMPANY: Final = re.compile(
    rf"(?<![\w'])(?P<name>(?:{_CAPITAL}[ \u00a0](?:(?:&|of|de|der)[ \u00a0])?){{1,5}}{_FORM})(?![\w'])"
)
_TOP: Final = 300
_VERBS: Final = frozenset({"is", "are", "ist", "est", "es"})
_NUMBERED: Final = re.compile(r"(?:\bnr|nummer|number|datum)$")
_SHORTENED: Final = frozenset({"ltd", "inc", "co", "jr", "sr"})
_LONGEST: Final = 90


def find_names(place: Place) -> Iterator[Field]:
    """Organisations by their form, names after words that announce them, and names after titles."""
    for match in _COMPANY.finditer(place.text):
        if place.is_free(*match.span("name")):
            yield _organisation(place, *match.span("name"))
    for match in _NAME.finditer(place.text):
        if field := _announced(place, match):
            yield field
    for match in _TITLED.finditer(place.text):
        if place.is_free(*match.span("name")) and (span := _trimmed(place, *match.span("name"))):
            yield _field(place, "person", *span, 0.8)


def _organisation(place: Place, start: int, end: int) -> Field:
    if found := _cue(place, start):
        return _field(place, found[0], start, end, 0.9, found[2])
    heads = place.number == 1 and start < _TOP and not place.between(0, start)
    return _field(place, "issuer" if heads else "organisation", start, end, 0.75)


def _announced(place: Place, match: re.Match[str]) -> Field | None:
    start, end = match.start("name"), place.free_until(*match.span("name"))
    found = _cue(place, start)
    span = _trimmed(place, start, end) if found else None
    return _field(place, found[0], *span, found[1], found[2]) if found and span else None


def _cue(place: Place, start: int) -> tuple[str, float, int] | None:
    """What is announced right before a name: its role, how sure that is, and where the words begin."""
    cue = cues("names").before(place.words_before(start)[-6:], 0, _VERBS)
    if cue is None:
        return None
    between = place.plain[cue.end : start]
    parted = ":" in between or "\n" in between or cue.text in words("bare_names")
    if any(each in between for each in ",.;(") or not (
        parted or (between == " " and cue.text not in words("small_names"))
    ):
        return None
    return cue.role, 0.9 if parted else 0.65, cue.start


def _trimmed(place: Place, start: int, end: int) -> tuple[int, int] | None:
    """Without words at the ends that are no names; None if nothing is left."""
    parts = place.between(start, end)
    while parts and parts[-1].text in words("not_names"):
        parts.pop()
    if not parts or parts[0].text in words("not_names") or _NUMBERED.search(parts[-1].text):
        return None
    last = parts[-1].end
    last += place.text[last : last + 1] == "." and (len(parts[-1].text) == 1 or parts[-1].text in _SHORTENED)
    return (start, last) if 2 <= last - start <= _LONGEST else None


def _field(place: Place, role: str, start: int, end: int, confidence: float, cue_start: int | None = None) -> Field:
    return Field(
        kind=FieldKind.NAME,
        role=role,
        label=place.label(start, cue_start),
        value=" ".join(place.text[start:end].split()),
        text=place.text[start:end],
        page=place.number,
        start=start,
        end=end,
        confidence=confidence,
    )
