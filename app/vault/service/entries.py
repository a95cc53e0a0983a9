"""What search knows of each item: its folded words and its dates, opened in this process and never kept at rest.

Values of secret fields are left out. Entries are kept in memory for a while; who may see them is decided anew for
every search.
"""

import calendar
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.core.idle_cache import IdleCache
from app.vault.folding import fold, joined
from app.vault.types import DATES, RecordType

OVERHEAD_BYTES: Final = 600
PARTS: Final = ("title", "tags", "fields", "notes")


class Dated(NamedTuple):
    """A date of an item, or the first and the last day of a month."""

    first: date
    last: date
    role: str | None


class Entry(NamedTuple):
    """An item as search sees it. `text` is title, tags, fields and notes, one after the other, `ends` where each ends.

    `mark` tells of which revision it is, and of which definition of a type that people made.
    """

    mark: tuple[int, int]
    text: str
    ends: tuple[int, int, int]
    dates: tuple[Dated, ...]
    tags: frozenset[str]

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return sys.getsizeof(self.text) + OVERHEAD_BYTES


Entries = Mapping[UUID, Entry]


@lru_cache(maxsize=1)
def entry_cache(most_bytes: int) -> IdleCache[UUID, Entries]:
    """The entries of each vault that this process keeps."""
    return IdleCache(most_bytes, lambda entries: sum(entry.nbytes for entry in entries.values()), {})


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
    return {name: value for name, value in fields.items() if name not in kind.secret_fields}


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


def _dates(kind: RecordType, fields: Mapping[str, Any]) -> Iterable[Dated]:
    for field in kind.fields:
        if field.type in DATES and field.name in fields:
            yield from _dated(fields[field.name], field.role)


def _dated(value: Any, role: str | None) -> Iterable[Dated]:
    """Nothing for what is no date: the definition may be younger than the value."""
    try:
        year, month, *day = (int(part) for part in str(value).split("-"))
        if day:
            yield Dated(date(year, month, day[0]), date(year, month, day[0]), role)
        else:
            yield Dated(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]), role)
    except ValueError:
        return
