"""Words as people look for them: without case, accents and punctuation."""

import re
import unicodedata
from typing import Final

_SEPARATORS: Final = re.compile(r"[\W_]+")
_PLAIN: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
# Marks of Latin, Greek, Cyrillic, Hebrew and Arabic; in other scripts they are letters that count.
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_LETTERS: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "\u0131": "i"}
)
_GROUPED: Final = re.compile(r"\d[\W_]|[\W_]\d")
_LONGEST_NUMBER: Final = 64


def fold(text: str) -> str:
    """Words in small plain letters, with one space between them, before the first and after the last."""
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS)))
        text = _SEPARATORS.sub(" ", text)
    return f" {' '.join(text.lower().translate(_PLAIN).split())} "


def words(text: str) -> list[str]:
    """The different words, folded, in their order."""
    return list(dict.fromkeys(fold(text).split()))


def joined(text: str) -> str:
    """A number that is written in groups, as one word (IBAN, phone, card); empty for anything else."""
    if len(text) > _LONGEST_NUMBER or not _GROUPED.search(text):
        return ""
    return _SEPARATORS.sub("", text)
