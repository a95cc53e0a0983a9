"""Which fields of records are due dates, and how long before people want to know: decided here and nowhere else."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from app.vault.types import RecordField, RecordType

Role = Literal["expires", "renews", "due"]

LEADS: Final[dict[Role, tuple[int, ...]]] = {"expires": (60, 30, 7, 1), "renews": (30, 7, 1), "due": (14, 7, 1)}
BY_NAME: Final[dict[str, Role]] = {
    "ends_on": "expires",
    "expires_on": "expires",
    "valid_until": "expires",
    "renews_on": "renews",
    "due_on": "due",
    "inspection_due_on": "due",
    "notice_until": "due",
    "payable_from": "due",
}


@dataclass(frozen=True, slots=True)
class DueDate:
    """A field of a record that says when something is due."""

    field: str
    label: str
    role: Role
    day: date


def role_of(field: RecordField) -> Role | None:
    """What the date of a field means, if something is due on it: as its definition says, or else by its name."""
    if field.type not in ("date", "month"):
        return None
    said = getattr(field, "role", None) or BY_NAME.get(field.name)
    return said if said in LEADS else None


def due_dates(kind: RecordType, fields: dict[str, Any]) -> list[DueDate]:
    """The due dates of a record."""
    found = []
    for field in kind.fields:
        role, day = role_of(field), _day(fields.get(field.name))
        if role and day:
            found.append(DueDate(field.name, field.label, role, day))
    return found


def _day(value: Any) -> date | None:
    """A date, or the last day of a month: a card is good to its end."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == len("2031-05"):
            year, month = int(value[:4]), int(value[5:])
            return date(year, month, monthrange(year, month)[1])
        return date.fromisoformat(value)
    except (ValueError, IndexError):
        return None
