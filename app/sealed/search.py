"""Search on the device, over what has been opened there; nothing of it leaves."""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from uuid import UUID

TITLE_WEIGHT = 3


def terms(text: str) -> list[str]:
    """Words without case and marks: `Müllers` is found by `muller`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.findall(r"\w+", "".join(each for each in plain if not unicodedata.combining(each)))


class ItemIndex:
    """Titles and fields in memory. Every word of a query must begin some word of the item; titles count three times."""

    def __init__(self) -> None:
        self._weights: dict[str, Counter[UUID]] = defaultdict(Counter)
        self._words: dict[UUID, set[str]] = {}
        self._sorted: list[str] | None = None

    def add(self, item: UUID, fields: Mapping[str, str], title: str = "title") -> None:
        """Put an item in, in place of what was known of it."""
        self.remove(item)
        words = self._words[item] = set()
        for name, text in fields.items():
            for term in terms(text):
                self._weights[term][item] += TITLE_WEIGHT if name == title else 1
                words.add(term)
        self._sorted = None

    def remove(self, item: UUID) -> None:
        """Take an item out."""
        for word in self._words.pop(item, ()):
            del self._weights[word][item]
            if not self._weights[word]:
                del self._weights[word]
        self._sorted = None

    def search(self, query: str, limit: int = 20) -> list[UUID]:
        """The items that match, best first; equal ones in the order of their ids."""
        scores = [self._matches(term) for term in terms(query)]
        if not scores:
            return []
        common = set(scores[0]).intersection(*scores[1:])
        return sorted(common, key=lambda item: (-sum(each[item] for each in scores), item))[:limit]

    def _matches(self, prefix: str) -> Counter[UUID]:
        if self._sorted is None:
            self._sorted = sorted(self._weights)
        found: Counter[UUID] = Counter()
        for word in self._sorted[bisect_left(self._sorted, prefix) :]:
            if not word.startswith(prefix):
                break
            found.update(self._weights[word])
        return found
