"""Form-encoded bodies: nested by brackets, read by name and kind, and nothing left unread."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from app.payments.sim.core.errors import Invalid

PART = re.compile(r"\[([^\[\]]*)\]")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
RUNS = ("javascript:", "data:", "vbscript:")
MOST_FIELDS = 1_000
LONGEST_TEXT = 5_000


def parse_form(body: str) -> dict[str, Any]:
    """`items[0][price]=x` as nested dicts and lists. Raises `Invalid`."""
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Invalid("The body is not a form that can be read.") from None
    root: dict[str, Any] = {}
    for name, value in pairs:
        _put(root, name, value)
    return root


def _put(root: dict[str, Any], name: str, value: str) -> None:
    head, bracket, _ = name.partition("[")
    path = [head, *PART.findall(name[len(head) :])] if bracket else [head]
    place = root
    for part in path[:-1]:
        place = place.setdefault(part or str(len(place)), {})
        if not isinstance(place, dict):
            raise Invalid("A parameter is given as a value and as a group.", param=head)
    place[path[-1] or str(len(place))] = value


def _listed(value: Any) -> Any:
    """A group whose names are all numbers is a list."""
    if isinstance(value, dict) and value and all(name.isdecimal() for name in value):
        return [value[name] for name in sorted(value, key=int)]
    return value


class Params:
    """Parameters of a call. What was never asked for is unknown, and `finish` refuses it.

    Every reader returns None (or its default) for what is absent; an empty value is absent too, but `has` tells it.
    All raise `Invalid` with the name of the parameter.
    """

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._read: set[str] = set()
        self._groups: list[Params] = []

    def __contains__(self, name: str) -> bool:
        return self.has(name)

    def has(self, name: str) -> bool:
        """Whether it was sent, be it empty."""
        return name in self._values

    def name_of(self, name: str) -> str:
        """The whole name, for messages."""
        return f"{self._path}[{name}]" if self._path else name

    def text(self, name: str, *, longest: int = LONGEST_TEXT) -> str | None:
        """A string."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise Invalid("Must be a string.", param=self.name_of(name))
        if value and len(value) > longest:
            raise Invalid(f"Must be at most {longest} characters.", param=self.name_of(name))
        return value or None

    def need(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            code = "parameter_missing"
            raise Invalid(f"Missing required param: {self.name_of(name)}.", code=code, param=self.name_of(name))
        return value

    def integer(self, name: str, *, minimum: int | None = None, maximum: int | None = None) -> int | None:
        """A whole number within bounds."""
        value = self.text(name, longest=20)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]+", value):
            code = "parameter_invalid_integer"
            raise Invalid("Invalid integer.", code=code, param=self.name_of(name))
        number = int(value)
        if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
            bounds = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
            raise Invalid(f"This value must be {bounds}.", code="parameter_invalid_integer", param=self.name_of(name))
        return number

    def decimal(self, name: str) -> Decimal | None:
        """A decimal number."""
        value = self.text(name, longest=30)
        try:
            number = None if value is None else Decimal(value)
        except InvalidOperation:
            raise Invalid("Invalid decimal.", param=self.name_of(name)) from None
        if number is not None and not number.is_finite():
            raise Invalid("Invalid decimal.", param=self.name_of(name))
        return number

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise Invalid("Invalid boolean.", param=self.name_of(name))
        return default if value is None else value == "true"

    def choice(self, name: str, options: tuple[str, ...], default: str | None = None) -> str | None:
        """One of some words."""
        value = self.text(name)
        if value is not None and value not in options:
            raise Invalid(f"Must be one of {', '.join(options)}.", param=self.name_of(name))
        return value or default

    def address(self, name: str) -> str | None:
        """Where a browser or an app goes next: nothing that would run instead."""
        url = self.text(name)
        if url is not None and (not ADDRESS.fullmatch(url) or url.lower().startswith(RUNS)):
            raise Invalid("Not a valid URL.", code="url_invalid", param=self.name_of(name))
        return url

    def group(self, name: str) -> "Params":
        """Nested parameters; empty ones if there are none."""
        value = self._take(name)
        if value not in (None, "") and not isinstance(value, dict):
            raise Invalid("Invalid object.", param=self.name_of(name))
        return self._nested(value or {}, self.name_of(name))

    def groups(self, name: str) -> list["Params"]:
        """A list of nested parameters."""
        value = _listed(self._take(name))
        if value in (None, ""):
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise Invalid("Invalid array.", param=self.name_of(name))
        return [self._nested(each, f"{self.name_of(name)}[{index}]") for index, each in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        value = _listed(self._take(name))
        if value in (None, ""):
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise Invalid("Invalid array.", param=self.name_of(name))
        return value

    def metadata(self, name: str = "metadata") -> dict[str, str]:
        """At most 50 pairs of texts; an empty value means that the key is to go."""
        value = self._take(name)
        if value in (None, ""):
            return {}
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise Invalid("Metadata can't be nested.", param=self.name_of(name))
        if len(value) > 50 or any(len(key) > 40 or len(each) > 500 for key, each in value.items()):
            raise Invalid("Metadata has at most 50 keys of 40 and values of 500 characters.", param=self.name_of(name))
        return value

    def accept(self, *names: str) -> None:
        """Known parameters that mean nothing here."""
        self._read.update(names)

    def finish(self) -> None:
        """Refuse what nobody has asked for."""
        for name in self._values:
            if name not in self._read:
                whole = self.name_of(name)
                raise Invalid(f"Received unknown parameter: {whole}", code="parameter_unknown", param=whole)
        for group in self._groups:
            group.finish()

    def _take(self, name: str) -> Any:
        self._read.add(name)
        return self._values.get(name)

    def _nested(self, values: dict[str, Any], path: str) -> "Params":
        group = Params(values, path)
        self._groups.append(group)
        return group


def merged(old: dict[str, str], params: Params) -> dict[str, str]:
    """Metadata after an update: new keys are added, empty ones go, an empty whole clears all."""
    if not params.has("metadata"):
        return old
    new = params.metadata()
    return {key: value for key, value in {**(old if new else {}), **new}.items() if value != ""}
