"""Our own exports: records with their history, documents with their versions, and what was in the trash."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.core.schemas import ShortText
from app.vault.importing.entries import (
    DocumentEntry,
    Entry,
    ImportProblem,
    Past,
    RefusedEntry,
    SourceFile,
    parsed_time,
)
from app.vault.importing.records import checked, clean
from app.vault.schemas.items import Tags

FORMAT: Final = "lifevault-export"
CONTENT: Final = ("title", "fields", "notes", "tags")
_TITLE: Final = TypeAdapter[str](ShortText)
_TAGS: Final = TypeAdapter[list[str]](Tags)


def entries(document: Any) -> list[Entry]:
    """Everything in `lifevault.json`, the oldest first in each vault. Raises `ImportProblem`."""
    try:
        if document["format"] != FORMAT or document["version"] != 1:
            raise ImportProblem("not-understood", "The file was written by another version of LifeVault.")
        vaults = document["vaults"]
        tags = [vault["name"] if len(vaults) > 1 else "" for vault in vaults]
        found: list[Entry] = []
        for vault, tag in zip(vaults, tags, strict=True):
            found += [_guarded(_document, each, tag) for each in vault["documents"]]
            found += [_guarded(_item, each, tag) for each in vault["items"]]
    except (KeyError, TypeError):
        raise ImportProblem("not-understood", "The file is not an export of LifeVault.") from None
    return found


def _guarded(read: Any, thing: Any, tag: str) -> Entry:
    try:
        entry: Entry = read(thing, tag)
    except (AttributeError, KeyError, TypeError, ValueError):
        title = clean(thing.get("title")) if isinstance(thing, dict) else ""
        return RefusedEntry(title[:200], "malformed", "The entry is not built as LifeVault builds its entries.")
    return entry


def _item(item: Mapping[str, Any], tag: str) -> Entry:
    history = tuple(_past(item["type"], version) for version in item["history"])
    revision = max([int(item["revision"]), *(past.revision + 1 for past in history)])
    content = {name: item[name] for name in CONTENT}
    return checked(
        item["type"],
        {**content, "tags": _with(content["tags"], tag)},
        history=history,
        revision=revision,
        **_when(item),
    )


def _past(type_name: str, version: Mapping[str, Any]) -> Past:
    """An earlier version; one that could not be a record makes the whole entry malformed. Raises `ValueError`."""
    at, entry = parsed_time(version["written_at"]), checked(type_name, {name: version[name] for name in CONTENT})
    if at is None or isinstance(entry, RefusedEntry):
        raise ValueError
    return Past(int(version["revision"]), at, entry.content)


def _document(document: Mapping[str, Any], tag: str) -> Entry:
    try:
        title = _TITLE.validate_python(document["title"])
        tags = _TAGS.validate_python(_with(document["tags"], tag))
    except ValidationError:
        raise ValueError from None
    versions = sorted(document["versions"], key=lambda version: int(version["number"]))
    files = tuple(
        SourceFile(str(each["name"]), str(each["path"]), int(each["number"]), parsed_time(each["created_at"]))
        for each in versions
    )
    if not files:
        raise ValueError
    return DocumentEntry(title, files, tuple(tags), int(document["revision"]), **_when(document))


def _with(tags: list[str], tag: str) -> list[str]:
    """The tags, and the name of the vault where several come into one."""
    short = tag[:64].strip()
    return [*tags, short] if short and short not in tags else list(tags)


def _when(thing: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: parsed_time(thing[name]) for name in ("created_at", "updated_at")}
    return {**times, "trashed": bool(thing["trashed_at"])}
