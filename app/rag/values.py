"""Which kind of value a question asks for, and where values of that kind stand in a text."""

import re
from enum import StrEnum


class Kind(StrEnum):
    """What a question asks for."""

    DATE = "date"
    AMOUNT = "amount"
    NUMBER = "number"
    IDENTIFIER = "identifier"
    NAME = "name"
    DURATION = "duration"


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_UNIT = r"(?:day|week|month|year|hour|minute|fortnight|quarter)s?\b"
_COUNT = (
    r"(?:\d[\d,.]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|sixty|"
    r"ninety)"
)

_PATTERNS = {
    Kind.DATE: re.compile(
        rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?:\s+day)?(?:\s+of)?\s+{_MONTH},?(?:\s+\d{{4}})?\b|"
        rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?(?:\s+\d{{4}})?\b|\b{_MONTH}\s+\d{{4}}\b|"
        r"\b\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}\b|\b(?:1[5-9]|20)\d\d\b",
        re.IGNORECASE,
    ),
    Kind.AMOUNT: re.compile(
        r"[$€£₹¥]\s?\d[\d,.]*|\b\d[\d,.]*\s?(?:%|per\s?cent|dollars?|euros?|pounds?|usd|eur|gbp|inr|million|billion)|"
        r"\b(?:usd|eur|gbp|inr|rs\.?)\s?\d[\d,.]*|\b\d{1,3}(?:,\d{3})+\b|\b\d{3,}\b(?!\s+[A-Za-z]*\s*\d)",
        re.IGNORECASE,
    ),
    Kind.NUMBER: re.compile(r"\b\d[\d,.]*\b|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve)\b", re.I),
    Kind.IDENTIFIER: re.compile(r"\b(?=[A-Z0-9-]*\d)[A-Z0-9][A-Z0-9-]{3,}\b|\b\d{3,5}[ -]\d{4,}\b|\+\d[\d ]{7,}"),
    Kind.NAME: re.compile(
        r"\b[A-ZÀ-Þ][\w.'\u2019-]+(?:\s+(?:of|and|&|de|van|von|the)?\s*[A-ZÀ-Þ][\w.'\u2019-]*)+|\b[A-Z][a-z]+\b"
    ),
    Kind.DURATION: re.compile(rf"\b{_COUNT}(?:\s*\(\d+\))?[\s-]+(?:[a-z]+\s+)?{_UNIT}", re.IGNORECASE),
}

_QUESTIONS = (
    (re.compile(r"\bhow (?:long|early|late)\b|\bnotice\b|\bwaiting period\b", re.I), Kind.DURATION),
    (re.compile(r"\bhow many (?:days|weeks|months|years)\b|\bfor how many\b", re.I), Kind.DURATION),
    (
        re.compile(r"\bhow many\b|\bat which age\b|\bhow old\b|\bhow (?:far|big|high|tall|fast|often)\b", re.I),
        Kind.NUMBER,
    ),
    (
        re.compile(
            r"\bwhen\b|\bwhat (?:date|day|year|month)\b|\b(?:from|by|on|in|until) wh(?:at|ich) (?:date|day|year)\b",
            re.I,
        ),
        Kind.DATE,
    ),
    (
        re.compile(r"\buntil when\b|\bby when\b|\bexpir|\brun out\b|\bdue\b|\bwhich (?:date|day|year|month)\b", re.I),
        Kind.DATE,
    ),
    (
        re.compile(
            r"\bhow much\b|\bcosts?\b|\bprice\b|\bfees?\b|\bpremium\b|\bamount\b|\brent\b|\bsum\b|\bexcess\b|\blimit\b",
            re.I,
        ),
        Kind.AMOUNT,
    ),
    (re.compile(r"\bpercent|\bshare\b|\binterest\b|\brate\b|\bincome\b|\bpay\b|\bbill\b", re.I), Kind.AMOUNT),
    (
        re.compile(
            r"\bnumber\b|\breference\b|\bcode\b|\bplate\b|\bchassis\b|\bwhom do (?:i|we) (?:ring|call)\b|\bphone\b",
            re.I,
        ),
        Kind.IDENTIFIER,
    ),
    (
        re.compile(
            r"\bwho\b|\bwhom\b|\bwhose\b|\bwhat is the name\b|\bwhich (?:person|company|party|state|country|law)\b",
            re.I,
        ),
        Kind.NAME,
    ),
)


def wanted(question: str) -> frozenset[Kind]:
    """The kinds of value that would answer the question; empty when any sentence may."""
    return frozenset(kind for pattern, kind in _QUESTIONS if pattern.search(question))


def holds(text: str, kind: Kind) -> bool:
    """Whether something of this kind stands in the text."""
    return _PATTERNS[kind].search(text) is not None
