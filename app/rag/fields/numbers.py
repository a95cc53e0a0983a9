"""Numbers that name something: policies, contracts, customers, papers, accounts, cards, cars."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from app.rag.fields import checks
from app.rag.fields.cues import Cue, Word, cues, words
from app.rag.fields.places import Place
from app.rag.fields.shapes import Field, FieldKind

_TOKEN: Final = re.compile(r"[A-Z0-9]+(?:[/.\-][A-Z0-9]+)*")
_FIRST: Final = re.compile(rf"(?<![\w/.+\-€$£]){_TOKEN.pattern}(?![\w])")
_NEXT: Final = re.compile(rf"[ \u00a0]({_TOKEN.pattern})(?![\w])")
_IBAN: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \u00a0]?[A-Z0-9]{4}){2,7}(?:[ \u00a0]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_BIC: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?![A-Za-z0-9])")
_CARD: Final = re.compile(r"(?<![\w-])[3-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,4}(?![\w-])")
_VIN: Final = re.compile(r"(?<![A-Za-z0-9])(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}(?![A-Za-z0-9])")
_COMPOUND: Final = re.compile(r"\w{3,}(?:nummer|nr)")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_AMOUNT: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{2})?|\d+[.,]\d{1,2}")
_LONGEST: Final = 34
_SHORT: Final = 3
_FAR: Final = 3
"""So many words may stand before the word `number`: "contract of household insurance no. 5"."""
_LOOK_BACK: Final = 60
_CHECKED: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "tax": (checks.is_german_tax_id, r"[1-9]\d{10}"),
    "identity": (checks.is_spanish_id, r"(?:[XYZ]\d{7}|\d{8})[A-Z]"),
    "social": (checks.is_french_social, r"[12]\d{4}(?:\d{2}|2[AB])\d{8}"),
    "card": (checks.is_luhn, r"\d{13,19}"),
}


def find_ibans(place: Place) -> Iterator[Field]:
    """International bank account numbers: those whose check digits fit, and others that the text calls so."""
    for match in _IBAN.finditer(place.text):
        value = re.sub(r"\s", "", match[0])
        length = checks.iban_length(value[:2])
        if length is None or len(value) < length:
            continue
        start, end = match.start(), _end_of(place.text, match.start(), length)
        fits = checks.is_iban(value[:length])
        called = "iban" in place.plain[max(0, start - 20) : start]
        if (fits or called) and place.is_free(start, end):
            yield _made(place, FieldKind.IBAN, "account", start, end, value[:length], 0.99 if fits else 0.5, fits)


def find_numbers(place: Place) -> Iterator[Field]:
    """Numbers after words that announce them, and cards and vehicles that their form and check digits tell."""
    at = 0
    for match in _FIRST.finditer(place.text):
        if match.start() < at or not place.is_free(*match.span()):
            continue
        if field := _announced(place, match):
            at = field.end
            yield field
    yield from _self_evident(place)


def _self_evident(place: Place) -> Iterator[Field]:
    for match in _CARD.finditer(place.text):
        digits = re.sub(r"\D", "", match[0])
        if len(digits) >= 13 and checks.is_luhn(digits) and place.is_free(*match.span()):
            yield _made(place, FieldKind.NUMBER, "card", *match.span(), digits, 0.8, checksum=True)
    for match in _VIN.finditer(place.text):
        if checks.is_vin(match[0]) and place.is_free(*match.span()):
            yield _made(place, FieldKind.NUMBER, "vehicle", *match.span(), match[0], 0.8, checksum=True)


def _announced(place: Place, match: re.Match[str]) -> Field | None:
    before = place.words_before(match.start())[-8:]
    cue = _cue(before)
    if cue is None or match.start() - cue.end > _LOOK_BACK:
        return None
    between = place.plain[cue.end : match.start()]
    named = _is_named(before, cue) or ":" in between or "#" in between or between == " is "
    if (cue.text in words("needs_number_word") and not named) or "," in between or "(" in between:
        return None
    end = _whole(place, match, cue.role)
    value = re.sub(r"[\s]", "", place.text[match.start() : end])
    if not _may_be(value, place.text[match.start() : end], cue, named):
        return None
    return _made(place, FieldKind.NUMBER, cue.role, match.start(), end, value, 0.95 if named else 0.85, None, cue)


@cache
def _fillers() -> frozenset[str]:
    return words("number_words") | words("links") | words("number_fillers")


def _cue(before: list[Word]) -> Cue | None:
    """What the number is called; `number` alone, or a German word that ends so, call it a number of some sort."""
    far = _FAR if before and before[-1].text in words("number_words") else 0
    if found := cues("numbers").before(before, far, _fillers()):
        return found
    if before and (_COMPOUND.fullmatch(before[-1].text) or (before[-1].text in ("number", "nummer", "numero"))):
        return Cue(before[-1].text, "other", before[-1].start, before[-1].end, 0)
    if len(before) > 1 and before[-1].text in ("no", "nr") and before[-2].text.isalpha():
        return Cue(before[-1].text, "other", before[-2].start, before[-1].end, 0)
    return None


def _is_named(before: list[Word], cue: Cue) -> bool:
    """Whether a word for `number` stands in the cue, behind it, or before it as in `numéro de contrat`."""
    if cue.text.split()[-1].endswith(("number", "nummer", "nr", "id")):
        return True
    if any(word.start >= cue.end and word.text in words("number_words") for word in before):
        return True
    leading = [word.text for word in before if word.end <= cue.start]
    while leading and leading[-1] in words("links"):
        leading.pop()
    return bool(leading) and leading[-1] in words("number_words")


def _whole(place: Place, match: re.Match[str], role: str) -> int:
    """Where the number ends, with the groups that follow its first one."""
    end, text = match.end(), place.text
    while following := _NEXT.match(text, end):
        token = following[1]
        grows = any(map(str.isdecimal, token)) or (role == "registration" and len(token) <= _SHORT)
        grows = grows or (role == "reference" and len(token) <= _SHORT and _digits_follow(text, following.end()))
        first_without = not any(map(str.isdecimal, text[match.start() : end])) and len(token) <= 8
        if not (grows or first_without) or not place.is_free(following.start(1), following.end()):
            break
        if following.end() - match.start() > _LONGEST or _YEAR.fullmatch(token):
            break
        end = following.end()
    return end


def _digits_follow(text: str, at: int) -> bool:
    following = _NEXT.match(text, at)
    return following is not None and any(map(str.isdecimal, following[1]))


def _may_be(value: str, text: str, cue: Cue, named: bool) -> bool:
    if cue.role == "bic":
        return bool(_BIC.fullmatch(value))
    digits = sum(map(str.isdecimal, value))
    least = 2 if cue.role in ("code", "register", "registration") and named else 3
    if not digits or len(value) < least + 1 or len(value) > _LONGEST:
        return False
    if _YEAR.fullmatch(value) and not named:
        return False
    if _AMOUNT.fullmatch(text) and cue.role not in ("tax", "account"):
        return False
    return digits >= 3 or (len(value) >= 5 and cue.role in ("registration", "identity", "policy"))


def _end_of(text: str, start: int, length: int) -> int:
    """Where a value of so many characters ends, spaces not counted."""
    at = start
    while length:
        length -= not text[at].isspace()
        at += 1
    return at


def _checksum(role: str, value: str) -> bool | None:
    if role == "vehicle":
        return checks.is_vin(value) or None
    check, form = _CHECKED.get(role, (None, ""))
    return check(value) if check and re.fullmatch(form, value) else None


def _made(
    place: Place,
    kind: FieldKind,
    role: str,
    start: int,
    end: int,
    value: str,
    confidence: float,
    checksum: bool | None = None,
    cue: Cue | None = None,
) -> Field:
    checksum = _checksum(role, value) if checksum is None else checksum
    return Field(
        kind=kind,
        role=role,
        label=place.label(start, cue.start if cue else None),
        value=value,
        text=place.text[start:end],
        page=place.number,
        start=start,
        end=end,
        confidence=confidence if checksum is not False or kind is FieldKind.IBAN else min(confidence, 0.6),
        checksum=checksum,
    )
