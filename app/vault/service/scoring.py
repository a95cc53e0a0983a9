"""How well an item fits words: the whole title, then its beginning, then words of title, tags, type, fields, notes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from app.vault.folding import fold, words
from app.vault.schemas.items import ItemRead
from app.vault.schemas.search import Match
from app.vault.service.entries import Entry, searchable, text_of
from app.vault.types import RecordType

MOST_WORDS: Final = 16
SHORTEST_WITHIN: Final = 3
"""So many letters a word must have to be found within another; of other scripts, one is enough."""

TITLE: Final = 1_000
TITLE_BEGINS: Final = 950
PARTS: Final = ((800, 700), (600, 550), (400, 350), (250, 200))
"""Of title, tags, fields and notes: for a whole word, and for the beginning of one."""
TYPE: Final = 500
WITHIN: Final = 100


class Word(NamedTuple):
    """A word that is looked for, and how it looks where one begins and where it stands alone."""

    plain: str
    begins: str
    alone: str

    @property
    def within(self) -> bool:
        """Whether it may be found in the middle of another."""
        return len(self.plain) >= SHORTEST_WITHIN or not self.plain.isascii()


class Words(NamedTuple):
    """What is looked for: its words, and all of it as a title would have it."""

    each: tuple[Word, ...]
    title: str

    @classmethod
    def of(cls, query: str) -> "Words":
        """From what somebody typed."""
        return cls(tuple(Word(word, f" {word}", f" {word} ") for word in words(query)[:MOST_WORDS]), fold(query))


def by_type(searched: Words, kinds: Mapping[str, RecordType], names: Iterable[str]) -> dict[str, frozenset[str]]:
    """For each type the words that its label has."""
    labels = {name: fold(kinds[name].label) for name in names}
    return {
        name: frozenset(word.plain for word in searched.each if word.begins in label) for name, label in labels.items()
    }


def scored(searched: Words, entry: Entry, of_type: frozenset[str]) -> int | None:
    """How well it fits, 0 to 1000; None if a word is not found. Without words everything fits, equally."""
    text, total = entry.text, 0
    for word in searched.each:
        found = _best(word, entry) if word.plain in text else 0
        best = max(found, TYPE) if word.plain in of_type else found
        if not best:
            return None
        total += best
    if not searched.each:
        return 0
    title = text[: entry.ends[0]]
    if title.startswith(searched.title[:-1]):
        return TITLE if title == searched.title else TITLE_BEGINS
    return total // len(searched.each)


def _best(word: Word, entry: Entry) -> int:
    start, best = 0, WITHIN if word.within else 0
    for end, (alone, begins) in zip((*entry.ends, len(entry.text)), PARTS, strict=True):
        if entry.text.find(word.begins, start, end) >= 0:
            whole = entry.text.find(word.alone, start, end) >= 0
            best = max(best, alone if whole else begins)
        start = end
    return best


def matches(searched: Words, kind: RecordType, item: ItemRead) -> list[Match]:
    """Where the words of a search stand in an item that was found."""
    return [Match(part=part, name=name) for part, name, text in _texts(kind, item) if _has_any(searched, text)]


def _texts(kind: RecordType, item: ItemRead) -> Iterator[tuple[str, str | None, str]]:
    yield "title", None, item.title
    yield "type", None, kind.label
    for tag in item.tags:
        yield "tag", tag, tag
    for name, value in searchable(kind, item.fields).items():
        yield "field", name, text_of(value)
    yield "notes", None, item.notes


def _has_any(searched: Words, text: str) -> bool:
    folded = fold(text)
    return any(word.begins in folded or (word.within and word.plain in folded) for word in searched.each)
