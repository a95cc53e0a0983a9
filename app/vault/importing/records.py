"""Records from whatever others keep: a value that its field can't hold becomes a custom field, and what no field can
hold is added to the notes. Nothing is dropped but control characters.
"""

import re
from typing import Any, Final

from pydantic import ValidationError

from app.vault.errors import InvalidFields
from app.vault.importing.entries import ItemEntry, RefusedEntry
from app.vault.schemas.items import MOST_FIELDS, MOST_TAGS, ItemUpdate
from app.vault.types import RecordType, record_types
from app.vault.types.fields import check_fields

LONGEST_TITLE, LONGEST_NAME, LONGEST_TAG, LONGEST_TEXT = 200, 64, 64, 20_000
UNTITLED: Final = "Untitled"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def clean(value: Any) -> str:
    """A value as text without what no text of ours may have in it."""
    if value is None:
        return ""
    return _CONTROL.sub("", value if isinstance(value, str) else str(value))


class Draft:
    """A record that is being put together."""

    def __init__(self, type_name: str, title: Any, notes: Any = "") -> None:
        self.kind = record_types()[type_name]
        self.labels = {field.name: field.label for field in self.kind.fields}
        self.fields: dict[str, Any] = {}
        self.tags: list[str] = []
        self._notes = [clean(notes)] if clean(notes).strip() else []
        whole = " ".join(clean(title).split())
        self.title = whole[:LONGEST_TITLE].strip() or UNTITLED
        if len(whole) > LONGEST_TITLE:
            self.custom("Full title", whole)

    def put(self, name: str, value: Any) -> None:
        """Set a field of the type; a value that it can't hold becomes a custom field under its label."""
        value = clean(value).strip() if isinstance(value, str) else value
        if value is None or value == "":
            return
        if name in self.fields or not self._holds(name, value):
            self.custom(self.labels.get(name, name), value)
        else:
            self.fields[name] = value

    def _holds(self, name: str, value: Any) -> bool:
        if name not in self.labels or (isinstance(value, str) and len(value) > LONGEST_TEXT):
            return False
        try:
            check_fields(self.kind, {name: value})
        except InvalidFields:
            return False
        return True

    def custom(self, name: Any, value: Any) -> None:
        """Add a field of the person's own."""
        value = value if isinstance(value, bool) else clean(value)
        if value == "":
            return
        label = " ".join(clean(name).split())[:LONGEST_NAME].strip() or "Field"
        if len(self.fields) >= MOST_FIELDS or (isinstance(value, str) and len(value) > LONGEST_TEXT):
            self.note(f"{label}:\n{value}")
            return
        free, number = label, 1
        while free in self.fields or free in self.labels:
            number += 1
            free = f"{label[: LONGEST_NAME - 5]} {number}"
        self.fields[free] = value

    def note(self, text: str) -> None:
        """Add to the notes."""
        self._notes.append(text)

    def tag(self, *tags: Any) -> None:
        """Add tags; no tag is there twice."""
        for each in tags:
            short = " ".join(clean(each).split())[:LONGEST_TAG].strip()
            if short and short not in self.tags and len(self.tags) < MOST_TAGS:
                self.tags.append(short)

    def content(self) -> dict[str, Any]:
        """What is sealed of a record."""
        notes = "\n\n".join(self._notes)
        return {"title": self.title, "fields": dict(self.fields), "notes": notes, "tags": list(self.tags)}

    def entry(self, **more: Any) -> ItemEntry | RefusedEntry:
        """The record, if it is one that could be made by hand as well."""
        return checked(self.kind, self.content(), **more)


def checked(kind: RecordType, content: dict[str, Any], **more: Any) -> ItemEntry | RefusedEntry:
    """A record with this content, or why it can't be one."""
    title = str(content.get("title") or UNTITLED)[:LONGEST_TITLE]
    try:
        valid = ItemUpdate.model_validate(content)
        fields = {name: value for name, value in valid.fields.items() if value is not None}
        check_fields(kind, fields)
    except ValidationError as error:
        places = ", ".join(sorted({str(each["loc"][0]) for each in error.errors() if each["loc"]}))
        return RefusedEntry(title, "too-long-or-invalid", f"Not accepted as it is: {places}")
    except InvalidFields:
        return RefusedEntry(title, "invalid-fields", "Some fields don't fit the type of the record.")
    whole = {"title": valid.title or UNTITLED, "fields": fields, "notes": valid.notes or "", "tags": valid.tags or []}
    return ItemEntry(kind.name, whole, **more)
