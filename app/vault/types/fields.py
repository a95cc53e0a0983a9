"""Checks of the fields of a record against its type; no message repeats a value."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any, Final

from app.vault.errors import InvalidDefinition, InvalidFields
from app.vault.types import DATES, FieldType, RecordField, RecordType

_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_URL: Final = re.compile(r"https?://\S+", re.I)
_PHONE: Final = re.compile(r"[+0-9][0-9 ()./-]{2,38}(?:(?:x|ext\.?) ?\d{1,6})?", re.I)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Final[dict[FieldType, tuple[Callable[[Any], bool], str]]] = {
    "text": (_is_text, "must be a text"),
    "multiline": (_is_text, "must be a text"),
    "secret": (_is_text, "must be a text"),
    "date": (_is_date, "must be a date like 2031-05-31"),
    "month": (_matches(_MONTH), "must be a year and month like 2031-05"),
    "number": (_is_number, "must be a number"),
    "amount": (lambda value: isinstance(value, dict), 'must be an amount like {"amount": "12.50", "currency": "EUR"}'),
    "boolean": (lambda value: isinstance(value, bool), "must be true or false"),
    "email": (_matches(_EMAIL), "must be an e-mail address"),
    "url": (_matches(_URL), "must be a web address that begins with http:// or https://"),
    "phone": (_matches(_PHONE), "must be a phone number"),
}


def check_fields(kind: RecordType, fields: dict[str, Any]) -> None:
    """See that every field fits its definition; undefined ones are custom. Raises `InvalidFields`."""
    defined = {field.name: field for field in kind.fields}
    problems = {name: _problem(defined.get(name), value) for name, value in fields.items()}
    errors = [
        {"loc": ["body", "fields", name], "msg": message, "type": "field"}
        for name, message in problems.items()
        if message
    ]
    if errors:
        detail = "; ".join(f"{name} {message}" for name, message in problems.items() if message)
        raise InvalidFields(detail, errors=errors)


def missing_fields(kind: RecordType, fields: dict[str, Any]) -> list[str]:
    """The fields that a complete record of this type has and this one lacks."""
    return [name for name in kind.required_fields if name not in fields]


def check_definition(fields: list[dict[str, Any]]) -> None:
    """See that the fields of a type that people make have names of their own, and go together with what they say.

    Raises `InvalidDefinition`.
    """
    names = [field["name"] for field in fields]
    found = [(number, _flaw(field, names[:number])) for number, field in enumerate(fields)]
    errors = [{"loc": ["body", "fields", number], "msg": flaw, "type": "field"} for number, flaw in found if flaw]
    if errors:
        raise InvalidDefinition(
            "; ".join(f"field {number + 1} {flaw}" for number, flaw in found if flaw), errors=errors
        )


def _flaw(field: dict[str, Any], earlier: list[str]) -> str | None:
    choices = field["choices"]
    if field["name"] in earlier:
        return "has the name of an earlier one"
    if (field["type"] == "choice") != bool(choices):
        return "must have choices" if field["type"] == "choice" else "must not have choices"
    if len(set(choices)) < len(choices):
        return "has the same choice twice"
    if field["role"] and field["type"] not in DATES:
        return "has a role, which only dates and months have"
    return None


def _problem(field: RecordField | None, value: Any) -> str | None:
    if field is None:
        return None
    if field.type == "choice":
        return None if value in field.choices else f"must be one of {', '.join(field.choices)}"
    check, message = _CHECKS[field.type]
    return None if check(value) else message
