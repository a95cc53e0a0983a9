"""A typed program that calls every function of the generated Python client."""

import re
import types
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from importlib import import_module
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from tests.exports.calls import FILE, TEXT, Call

HEAD = f"""
import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

from client import AuthenticatedClient
from client import models
from client.types import File, Response
IMPORTS

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
statuses: dict[str, int | str] = {{}}


def call(operation: str, send: Callable[[], Response[Any]]) -> None:
    try:
        statuses[operation] = int(send().status_code)
    except Exception as error:
        statuses[operation] = repr(error)


def file() -> File:
    return File(payload=BytesIO({TEXT!r}), file_name="policy.txt", mime_type="text/plain")


"""
TAIL = "print(json.dumps(statuses))\n"


def program(calls: list[Call]) -> str:
    """It prints the status that each operation answered with; `client` has to be importable."""
    lines = [_line(call) for call in calls]
    tags: dict[str, list[str]] = {}
    for call in calls:
        tags.setdefault(call.tag, []).append(call.operation)
    imports = "\n".join(f"from client.api.{tag} import {', '.join(names)}" for tag, names in tags.items())
    return HEAD.replace("IMPORTS", imports) + "".join(lines) + TAIL


def _line(call: Call) -> str:
    module = import_module(f"client.api.{call.tag}.{call.operation}")
    hints = {_plain(name): (name, hint) for name, hint in get_type_hints(module.sync_detailed).items()}
    given = {**call.path, **call.query, **call.headers} | ({"body": call.body} if call.media else {})
    arguments = ["client=client"]
    for name, value in given.items():
        own, hint = hints[_plain(name)]
        arguments.append(f"{own}={_source(hint, value)}")
    function = f"{call.operation}.sync_detailed"
    return f'call("{call.operation}", lambda: {function}({", ".join(arguments)}))\n'


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _source(hint: Any, value: Any) -> str:
    """A value as the source of one of a type."""
    found = next(filter(None, (_as(each, value) for each in _choices(hint))), None)
    assert found is not None, f"{value!r} is no {hint}"
    return found


def _choices(hint: Any) -> Iterator[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        for each in get_args(hint):
            yield from _choices(each)
    else:
        yield hint


def _as(kind: Any, value: Any) -> str | None:
    if kind is Any or (kind in (str, int, float, bool) and type(value) is kind):
        return repr(value)
    if kind is type(None):
        return "None" if value is None else None
    if get_origin(kind) is list:
        return f"[{', '.join(_source(get_args(kind)[0], each) for each in value)}]" if isinstance(value, list) else None
    if not isinstance(kind, type):
        return None
    if kind.__name__ == "File":
        return "file()" if value == FILE else None
    if hasattr(kind, "from_dict"):
        return _as_model(kind, value) if isinstance(value, dict) else None
    return _as_text(kind, value) if isinstance(value, str) else None


def _as_model(kind: Any, value: dict[str, Any]) -> str | None:
    try:
        kind.from_dict({name: TEXT if each == FILE else each for name, each in value.items()})
    except (KeyError, TypeError, ValueError):
        return None
    return f"models.{kind.__name__}.from_dict({value!r})".replace(repr(FILE), repr(TEXT))


def _as_text(kind: type, value: str) -> str | None:
    try:
        if issubclass(kind, Enum):
            return f"models.{kind.__name__}({kind(value).value!r})"
        if kind is UUID:
            return f"UUID({str(UUID(value))!r})"
        if kind in (date, datetime):
            return f"{kind.__name__}.fromisoformat({value!r})"
    except ValueError:
        return None
    return None
