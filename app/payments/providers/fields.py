"""Strict reading of a provider's JSON: a field that is missing or of another type is one clear error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Never

from app.payments.providers.port import ProviderError

UNEXPECTED: Final = "unexpected-answer"
LATEST: Final = 253_402_300_799
"""The last second of the year 9999, where `datetime` ends."""


class Fields:
    """One JSON object, and the path that led to it. Every method raises `ProviderError` for what it can't read."""

    __slots__ = ("_path", "_values")

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, dict):
            raise ProviderError(UNEXPECTED, path)
        self._values: Mapping[str, Any] = values
        self._path = path

    def _fail(self, name: str) -> Never:
        raise ProviderError(UNEXPECTED, f"{self._path}.{name}")

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def equals(self, values: Mapping[str, object]) -> bool:
        """Whether all of these fields have these values; None is the same as not there."""
        return all(self._values.get(name) == value for name, value in values.items())

    def text(self, name: str) -> str:
        """A string that is not empty."""
        value = self._values.get(name)
        return value if isinstance(value, str) and value else self._fail(name)

    def maybe_text(self, name: str) -> str | None:
        """A string; None if there is none, or an empty one."""
        return self.text(name) if self._values.get(name) not in (None, "") else None

    def one_of(self, name: str, *words: str) -> Any:
        """One of these words."""
        word = self.text(name)
        return word if word in words else self._fail(name)

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self._values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._fail(name)

    def maybe_whole(self, name: str) -> int | None:
        """A whole number, if there is one."""
        return self.whole(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else self._fail(name)

    def time(self, name: str) -> datetime:
        """A time in seconds since 1970."""
        seconds = self.whole(name)
        return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= LATEST else self._fail(name)

    def maybe_time(self, name: str) -> datetime | None:
        """A time, if there is one."""
        return self.time(name) if self.has(name) else None

    def ref(self, name: str) -> str:
        """The id of another object, whether it is expanded or not."""
        value = self._values.get(name)
        return Fields(value, f"{self._path}.{name}").text("id") if isinstance(value, dict) else self.text(name)

    def maybe_ref(self, name: str) -> str | None:
        """The id of another object, if there is one."""
        return self.ref(name) if self.has(name) else None

    def sub(self, name: str) -> "Fields":
        """An object within."""
        return Fields(self._values.get(name), f"{self._path}.{name}")

    def maybe_sub(self, name: str) -> "Fields | None":
        """An object within, if there is one; None for an id that is not expanded."""
        return self.sub(name) if self.has(name) and not isinstance(self._values[name], str) else None

    def rows(self, name: str) -> "list[Fields]":
        """Objects of an array."""
        value = self._values.get(name)
        if not isinstance(value, list):
            self._fail(name)
        return [Fields(row, f"{self._path}.{name}") for row in value]

    def maybe_rows(self, name: str) -> "list[Fields]":
        """Objects of an array, none if there is no array."""
        return self.rows(name) if self.has(name) else []

    def texts(self, name: str) -> dict[str, str]:
        """Names and texts, such as metadata; none if there are none."""
        values = self._values.get(name) or {}
        if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
            self._fail(name)
        return dict(values)
