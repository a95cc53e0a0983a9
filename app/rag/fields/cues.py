"""The words that announce a value, and so tell what the value is; `cues.json` holds them as `plain` writes them."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final, NamedTuple

import orjson

_FILE: Final = "cues.json"
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


class Word(NamedTuple):
    """A word of a plain text, and where it stands."""

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of a plain text."""
    return [Word(match[0], *match.span()) for match in _WORD.finditer(text)]


class Cue(NamedTuple):
    """A cue that was found: what it says, the role it gives, where it stands, and how many words follow it."""

    text: str
    role: str
    start: int
    end: int
    gap: int


@dataclass(frozen=True)
class Cues:
    """The cues of one sort of value: the roles that they give, by their words."""

    roles: Mapping[str, str]

    @cached_property
    def _by_last(self) -> dict[str, list[int]]:
        return self._lengths(-1)

    @cached_property
    def _by_first(self) -> dict[str, list[int]]:
        return self._lengths(0)

    def _lengths(self, at: int) -> dict[str, list[int]]:
        """How many words the cues have that begin or end with a word, most first."""
        found: dict[str, set[int]] = {}
        for cue in self.roles:
            words = cue.split()
            found.setdefault(words[at], set()).add(len(words))
        return {word: sorted(counts, reverse=True) for word, counts in found.items()}

    def before(self, words: Sequence[Word], most_gap: int, fillers: Container[str] = ()) -> Cue | None:
        """The cue that is nearest to the end of the words, with at most so many others behind it; fillers are free."""
        gap = 0
        for last in range(len(words), 0, -1):
            for count in self._by_last.get(words[last - 1].text, ()):
                if count <= last and (found := self._found(words[last - count : last], gap)):
                    return found
            gap += words[last - 1].text not in fillers
            if gap > most_gap:
                return None
        return None

    def after(self, words: Sequence[Word], most_gap: int) -> Cue | None:
        """The cue that is nearest to the begin of the words."""
        for first in range(min(most_gap + 1, len(words))):
            for count in self._by_first.get(words[first].text, ()):
                if found := self._found(words[first : first + count], first):
                    return found
        return None

    def each(self, words: Sequence[Word]) -> Iterator[Cue]:
        """The cues of a row of headings, in order."""
        while found := self.after(words, len(words)):
            yield found
            words = [word for word in words if word.start >= found.end]

    def _found(self, words: Sequence[Word], gap: int) -> Cue | None:
        text = " ".join(word.text for word in words)
        role = self.roles.get(text)
        return Cue(text, role, words[0].start, words[-1].end, gap) if role else None


@cache
def _listed() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(files(__package__).joinpath(_FILE).read_bytes())
    return found


@cache
def cues(sort: str) -> Cues:
    """The cues of `dates`, `dates_after`, `amounts`, `numbers` or `names`."""
    return Cues({_normal(each): role for role, listed in _listed()[sort].items() for each in listed})


@cache
def words(what: str) -> frozenset[str]:
    """A list of words or cues: `date_fillers`, `small_dates`, `needs_currency` and so on."""
    return frozenset(map(_normal, _listed()["words"][what]))


def _normal(cue: str) -> str:
    return " ".join(word.text for word in words_of(cue))
