"""CSV: as browsers and password managers write it, or any other with a mapping of its columns."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from app.vault.importing.entries import Entry, ImportProblem, RefusedEntry
from app.vault.importing.records import Draft

LONGEST_CELL: Final = 1024 * 1024
TITLE, NOTES, TAGS, FAVOURITES = "title", "notes", "tags", "favourite"
LASTPASS_NOTE: Final = "http://sn"
TRUE: Final = frozenset({"1", "true", "yes"})
IGNORED: Final = frozenset({"reprompt", "icon", "last modified", "created", "guid", "formactionorigin", "archived"})
IGNORED_TIMES: Final = frozenset({"timecreated", "timelastused", "timepasswordchanged", "archiveddate"})

# Columns in lower case by what they are of ours, in the order in which they are tried: the first that fits counts.
KNOWN: Final[tuple[dict[str, str], ...]] = (
    {TITLE: "name", NOTES: "notes", TAGS: "folder", FAVOURITES: "favorite", "username": "login_username"}
    | {"password": "login_password", "url": "login_uri", "totp": "login_totp"},
    {TITLE: "name", NOTES: "extra", TAGS: "grouping", FAVOURITES: "fav", "url": "url", "username": "username"}
    | {"password": "password"},
    {TITLE: "title", NOTES: "notes", TAGS: "group", "url": "url", "username": "username", "password": "password"},
    {TITLE: "account", NOTES: "comments", "username": "login name", "password": "password", "url": "web site"},
    {TITLE: "title", NOTES: "notes", TAGS: "tags", FAVOURITES: "favorite", "url": "url", "username": "username"}
    | {"password": "password", "totp": "otpauth"},
    {TITLE: "title", NOTES: "notes", "url": "url", "username": "username", "password": "password", "totp": "otpauth"},
    {TITLE: "name", "url": "url", "username": "username", "password": "password", NOTES: "note"},
    {TITLE: "name", "url": "url", "username": "username", "password": "password"},
    {"url": "url", "username": "username", "password": "password", "realm": "httprealm"},
)


def entries(content: bytes, mapping: Mapping[str, str] | None, record_type: str, most: int) -> list[Entry]:
    """The records of a table with a line of names. Raises `ImportProblem`."""
    rows = _rows(_decoded(content))
    try:
        header = [name.strip() for name in next(rows, [])]
        columns = _columns(header, mapping)
        found: list[Entry] = []
        for row in rows:
            if any(cell.strip() for cell in row):
                found.append(_entry(header, columns, row, record_type, known=mapping is None))
            if len(found) > most:
                raise ImportProblem("too-many-entries", "The file has more entries than can be imported at once.")
    except csv.Error:
        raise ImportProblem("damaged", "The table can't be read: it is damaged, or no CSV.") from None
    return found


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _rows(text: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_CELL)
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t", key=head.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _columns(header: Sequence[str], mapping: Mapping[str, str] | None) -> dict[str, int]:
    """Where each of our fields stands. Raises `ImportProblem`."""
    places = {name.lower(): number for number, name in reversed(list(enumerate(header)))}
    if mapping is not None:
        missing = [name for name in mapping.values() if name.strip().lower() not in places]
        if missing or not mapping:
            raise ImportProblem("columns-missing", "The mapping names columns that the file does not have.")
        return {ours: places[theirs.strip().lower()] for ours, theirs in mapping.items()}
    for known in KNOWN:
        if set(known.values()) <= places.keys():
            return {ours: places[theirs] for ours, theirs in known.items()}
    raise ImportProblem("columns-unknown", "The columns are not those of a program that is known: send a mapping.")


def _entry(
    header: Sequence[str], columns: Mapping[str, int], row: Sequence[str], record_type: str, *, known: bool
) -> Entry:
    cells = {ours: row[place] for ours, place in columns.items() if place < len(row)}
    if len(row) != len(header):
        return RefusedEntry(cells.get(TITLE, "")[:200], "malformed", "The line has another number of cells.")
    url = cells.get("url", "")
    is_note = url == LASTPASS_NOTE or dict(zip(header, row, strict=True)).get("type") == "note"
    title = cells.get(TITLE) or urlsplit(url).hostname or cells.get("username")
    draft = Draft("secure_note" if is_note and known else record_type, title, cells.get(NOTES))
    for ours, cell in cells.items():
        if ours not in (TITLE, NOTES, TAGS, FAVOURITES) and cell != LASTPASS_NOTE:
            _put(draft, ours, cell)
    draft.tag(*_tags(cells.get(TAGS, ""), known=known))
    for place, name in enumerate(header):
        if place not in columns.values() and not (known and _is_ignored(name)):
            _put_rest(draft, name, row[place], known=known)
    return draft.entry(favourite=cells.get(FAVOURITES, "").lower() in TRUE)


def _put(draft: Draft, name: str, cell: str) -> None:
    if name in draft.labels:
        draft.put(name, cell)
    else:
        draft.custom(name, cell)


def _put_rest(draft: Draft, name: str, cell: str, *, known: bool) -> None:
    """A column that no field of ours is for. Bitwarden writes custom fields into one cell, a line for each."""
    if known and name == "fields":
        for line in cell.splitlines():
            label, _, value = line.partition(": ")
            draft.custom(label, value)
    elif known and name.lower() == "totp":
        draft.put("totp", cell)
    elif not (known and name == "type"):
        draft.custom(name, cell)


def _is_ignored(name: str) -> bool:
    return name.lower() in IGNORED | IGNORED_TIMES


def _tags(cell: str, *, known: bool) -> list[Any]:
    """Folders are one tag each; a person's own column of tags may hold several."""
    folder = cell.strip().removeprefix("Root/").removeprefix("Root")
    return [folder] if known and "," not in cell else cell.split(",")
