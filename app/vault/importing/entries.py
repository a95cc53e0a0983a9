"""What a file holds: entries that can be put into a vault one by one, and reasons why some can't."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from app.vault.schemas.types import TypeCreate


class ImportProblem(Exception):
    """The file as a whole can't be read; `message` is for the person who sent it, and quotes nothing of it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file within the archive."""

    name: str
    path: str
    number: int = 1
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What a record was before; `content` is title, fields, notes and tags."""

    revision: int
    written_at: datetime
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemEntry:
    """A record; `content` is title, fields, notes and tags, checked against its type."""

    type: str
    content: dict[str, Any]
    files: tuple[SourceFile, ...] = ()
    history: tuple[Past, ...] = ()
    revision: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None
    trashed: bool = False
    favourite: bool = False
    key: str = ""  # what links of the same file call it

    @property
    def title(self) -> str:
        """What people call it."""
        return str(self.content["title"])


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document with its files, the current one last."""

    title: str
    files: tuple[SourceFile, ...]
    tags: tuple[str, ...] = ()
    revision: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None
    trashed: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """Something that can't be put into a vault; `reason` is a stable word."""

    title: str
    reason: str
    detail: str = ""


Entry: TypeAlias = ItemEntry | DocumentEntry | RefusedEntry


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """How two entries are related, by their keys."""

    source: str
    target: str
    relation: str
    label: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file that could be read. `repeats`: equal entries are each meant, and not the same one twice.

    `types` are definitions of record types that people made, by the names that the entries have for them.
    """

    format: str
    entries: list[Entry] = field(default_factory=list)
    repeats: bool = False
    types: dict[str, TypeCreate] = field(default_factory=dict)
    links: list[LinkEntry] = field(default_factory=list)


def parsed_time(value: Any) -> datetime | None:
    """An aware time from ISO 8601 or from seconds since 1970; None for anything else."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) and value > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
