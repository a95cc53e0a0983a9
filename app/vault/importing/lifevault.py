"""Our own exports: records with their history, documents with their versions, and what was in the trash."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from app.core.schemas import ShortText
from app.vault.errors import InvalidDefinition
from app.vault.importing.entries import (
    DocumentEntry,
    Entry,
    ImportProblem,
    LinkEntry,
    Parsed,
    Past,
    RefusedEntry,
    SourceFile,
    parsed_time,
)
from app.vault.importing.records import checked, clean
from app.vault.schemas.items import Tags
from app.vault.schemas.types import TypeCreate
from app.vault.types import RecordType, record_types
from app.vault.types.fields import check_definition

FORMAT: Final = "lifevault-export"
CONTENT: Final = ("title", "fields", "notes", "tags")
LINK: Final = ("source", "target", "relation", "label")
_TITLE: Final = TypeAdapter[str](ShortText)
_TAGS: Final = TypeAdapter[list[str]](Tags)


def parsed(document: Any) -> Parsed:
    """Everything in `lifevault.json`, the oldest first in each vault. Raises `ImportProblem`."""
    try:
        if document["format"] != FORMAT or document["version"] != 1:
            raise ImportProblem("not-understood", "The file was written by another version of LifeVault.")
        vaults = document["vaults"]
        tags = [vault["name"] if len(vaults) > 1 else "" for vault in vaults]
        types = {str(each["name"]): _definition(each) for vault in vaults for each in vault["types"]}
        kinds = record_types() | {name: _kind(name, definition) for name, definition in types.items()}
        found: list[Entry] = []
        for vault, tag in zip(vaults, tags, strict=True):
            found += [_guarded(_document, each, tag) for each in vault["documents"]]
            found += [_guarded(partial(_item, kinds), each, tag) for each in vault["items"]]
        links = [LinkEntry(*(str(each[name]) for name in LINK)) for vault in vaults for each in vault["links"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ImportProblem("not-understood", "The file is not an export of LifeVault.") from None
    return Parsed("lifevault", found, repeats=True, types=types, links=links)


def _definition(type_read: Mapping[str, Any]) -> TypeCreate:
    """A type that people made. Raises `ValueError`."""
    names = ("label", "icon", "description", "credential", "fields")
    try:
        made = TypeCreate.model_validate({"vault_id": UUID(int=0), **{name: type_read[name] for name in names}})
        check_definition([field.model_dump() for field in made.fields])
    except (ValidationError, InvalidDefinition):
        raise ValueError from None
    return made


def _kind(name: str, definition: TypeCreate) -> RecordType:
    return RecordType(name=name, **definition.model_dump(exclude={"vault_id"}))


def _guarded(read: Any, thing: Any, tag: str) -> Entry:
    try:
        entry: Entry = read(thing, tag)
    except (AttributeError, KeyError, TypeError, ValueError):
        title = clean(thing.get("title")) if isinstance(thing, dict) else ""
        return RefusedEntry(title[:200], "malformed", "The entry is not built as LifeVault builds its entries.")
    return entry


def _item(kinds: Mapping[str, RecordType], item: Mapping[str, Any], tag: str) -> Entry:
    if item["type"] not in kinds:
        return RefusedEntry(clean(item["title"])[:200], "type-unknown", "The type of the record is not known here.")
    kind = kinds[item["type"]]
    history = tuple(_past(kind, version) for version in item["history"])
    revision = max([int(item["revision"]), *(past.revision + 1 for past in history)])
    content = {name: item[name] for name in CONTENT}
    more = {"history": history, "revision": revision, "favourite": bool(item["favourite"])}
    return checked(kind, {**content, "tags": _with(content["tags"], tag)}, **more, **_when(item))


def _past(kind: RecordType, version: Mapping[str, Any]) -> Past:
    """An earlier version; one that could not be a record makes the whole entry malformed. Raises `ValueError`."""
    at, entry = parsed_time(version["written_at"]), checked(kind, {name: version[name] for name in CONTENT})
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
    return {**times, "trashed": bool(thing["trashed_at"]), "key": str(thing["id"])}
