"""The 1024 words of SLIP-0039 (MIT); the first four letters of each are enough."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from app.nominees.shamir.errors import UnknownWord

RADIX_BITS = 10
PREFIX_LETTERS = 4


@cache
def words() -> tuple[str, ...]:
    """In order; the place of a word is its ten bits."""
    return tuple(files(__package__).joinpath("words.txt").read_text(encoding="ascii").split())


@cache
def _places() -> dict[str, int]:
    return {word[:PREFIX_LETTERS]: place for place, word in enumerate(words())}


def to_words(numbers: Sequence[int]) -> str:
    """The words of these places."""
    return " ".join(words()[number] for number in numbers)


def from_words(text: str) -> list[int]:
    """The places of words typed whole, or by their first letters. Raises `UnknownWord`."""
    return [_place(word, position) for position, word in enumerate(text.lower().split(), 1)]


def _place(word: str, position: int) -> int:
    place = _places().get(word[:PREFIX_LETTERS])
    if place is None or not words()[place].startswith(word):
        raise UnknownWord(position)
    return place
