"""What search knows of each item: its folded words and its dates, opened in this process and never kept at rest.

Values of secret fields are left out. Entries are kept in memory for a while; who may see them is decided anew for
every search.
"""

import sys
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.core.idle_cache import IdleCache
from app.vault.folding import fold, joined
from app.vault.types import RecordType

OVERHEAD_BYTES: Final = 600
LONG: Final = len("2031-05-31")


class Entry(NamedTuple):
    """An item as search sees it. `text` is title, tags, fields and notes, one after the other, `ends` where each ends.

    `mark` tells of which revision it is, and of which definition of a type that people made; `dates` are dates and
    months as text with their roles.
    """

    mark: tuple[int, int]
    text: str
    ends: tuple[int, int, int]
    dates: tuple[tuple[str, str | None], ...]
    tags: frozenset[str]

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return sys.getsizeof(self.text) + OVERHEAD_BYTES


Entries = Mapping[UUID, Entry]


@lru_cache(maxsize=1)
def entry_cache(most_bytes: int) -> IdleCache[UUID, Entries]:
    """The entries of each vault that this process keeps."""
    return IdleCache(most_bytes, lambda entries: sum(entry.nbytes for entry in entries.values()), {}, name="entries")


def entry_of(mark: tuple[int, int], kind: RecordType, content: Mapping[str, Any]) -> Entry:
    """The entry of an item from what its body holds."""
    open_fields = searchable(kind, content["fields"])
    texts = [
        fold(content["title"]),
        fold("\n".join(content["tags"])),
        fold("\n".join(_field_texts(open_fields))),
        fold(content["notes"]),
    ]
    first = len(texts[0])
    second = first + len(texts[1])
    tags = frozenset(tag.casefold() for tag in content["tags"])
    return Entry(mark, "".join(texts), (first, second, second + len(texts[2])), tuple(_dates(kind, open_fields)), tags)


def searchable(kind: RecordType, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields whose values are no secrets."""
    secret = kind.secret_fields
    return {name: value for name, value in fields.items() if name not in secret} if secret else dict(fields)


def signature(kind: RecordType) -> int:
    """Differs between definitions of a type by which its records have different entries."""
    return hash(tuple((field.name, field.type, field.role) for field in kind.fields))


def text_of(value: Any) -> str:
    """A value of a field as it is looked for; numbers that are written in groups also as one."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, dict):
        return f"{value['amount']} {value['currency']}"
    text = str(value)
    return f"{text}\n{joined(text)}"


def _field_texts(fields: Mapping[str, Any]) -> Iterable[str]:
    return (text_of(value) for value in fields.values())


def _dates(kind: RecordType, fields: Mapping[str, Any]) -> Iterable[tuple[str, str | None]]:
    """What can't be a date is left out: the definition may be younger than the value."""
    for name, role in kind.dates:
        value = fields.get(name)
        if isinstance(value, str):
            yield value, role


def lies_within(value: str, from_on: date | None, to_on: date | None) -> bool:
    """Whether a date, or a day of a month, lies between two days; as text, which sorts like the days."""
    first, last = (value, value) if len(value) == LONG else (f"{value}-01", f"{value}-31")
    return (from_on is None or last >= from_on.isoformat()) and (to_on is None or first <= to_on.isoformat())
