"""What would break clients of a released OpenAPI document if another one took its place.

One rule makes most of it: what is sent must stay within what is expected. Whatever a client may send by the old
document has to be allowed by the new one, and whatever the new one answers has to have been promised by the old one.
New operations, optional fields, and more fields and words (`enum`) in answers are no breaks: clients have to ignore
what they don't know.
"""

from collections.abc import Iterator
from typing import Final

from app.cli.exporting.fitting import Json, Schemas

METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
Operations = dict[tuple[str, str], Json]


def changes(old: Json, new: Json) -> list[str]:
    """Every break in words, ordered by operation; nothing if there is none."""
    return sorted(set(_changes(old, new)))


def _changes(old: Json, new: Json) -> Iterator[str]:
    news = _operations(new)
    for (method, path), before in _operations(old).items():
        name = f"{method.upper()} {path}"
        if (method, path) not in news:
            yield f"{name}: the operation is gone"
            continue
        for line in _operation(Schemas(old, new), before, news[method, path]):
            yield f"{name}: {line}"


def _operations(document: Json) -> Operations:
    found: Operations = {}
    for path, methods in document["paths"].items():
        shared = methods.get("parameters", [])
        for method in methods.keys() & set(METHODS):
            operation = methods[method]
            found[method, path] = {**operation, "parameters": [*shared, *operation.get("parameters", [])]}
    return found


def _operation(schemas: Schemas, old: Json, new: Json) -> Iterator[str]:
    if old.get("operationId") != new.get("operationId"):
        yield f"the operation id {old.get('operationId')} is now {new.get('operationId')}"
    yield from _security(old.get("security", []), new.get("security", []))
    yield from _parameters(schemas, old, new)
    yield from _request(schemas, old.get("requestBody"), new.get("requestBody"))
    for status, before in old["responses"].items():
        if status not in new["responses"]:
            yield f"the answer {status} is gone"
        else:
            yield from _answer(schemas, status, before, new["responses"][status])


def _security(old: list[Json], new: list[Json]) -> Iterator[str]:
    """Each way in that was enough has to be enough still."""
    for way in old or [{}]:
        if new and not any(_is_enough(way, other) for other in new):
            yield "needs a sign-in" if not way else f"{next(iter(way))} with its scopes no longer suffices"


def _is_enough(held: Json, wanted: Json) -> bool:
    return all(name in held and set(scopes) <= set(held[name]) for name, scopes in wanted.items())


def _parameters(schemas: Schemas, old: Json, new: Json) -> Iterator[str]:
    before, after = _named(old), _named(new)
    for (place, name), parameter in before.items():
        if (place, name) not in after:
            yield f"the {place} parameter {name} is gone"
            continue
        other = after[place, name]
        if other.get("required") and not parameter.get("required"):
            yield f"the {place} parameter {name} is now required"
        yield from schemas.sent(f"the {place} parameter {name}", parameter["schema"], other["schema"])
    for (place, name), parameter in after.items():
        if parameter.get("required") and (place, name) not in before:
            yield f"the {place} parameter {name} is new and required"


def _named(operation: Json) -> dict[tuple[str, str], Json]:
    """By place and name; names of headers are the same in any case (RFC 9110 §5.1)."""
    return {
        (each["in"], each["name"].lower() if each["in"] == "header" else each["name"]): each
        for each in operation["parameters"]
    }


def _request(schemas: Schemas, old: Json | None, new: Json | None) -> Iterator[str]:
    if old is None:
        if new is not None and new.get("required"):
            yield "needs a body"
        return
    if new is None:
        yield "takes no body any more"
        return
    if new.get("required") and not old.get("required"):
        yield "needs a body"
    for media, before in old.get("content", {}).items():
        if media not in new.get("content", {}):
            yield f"takes no {media} any more"
        else:
            yield from schemas.sent("the body", before.get("schema", {}), new["content"][media].get("schema", {}))


def _answer(schemas: Schemas, status: str, old: Json, new: Json) -> Iterator[str]:
    for name in old.get("headers", {}):
        if name.lower() not in {each.lower() for each in new.get("headers", {})}:
            yield f"the answer {status} has no header {name} any more"
    for media, before in old.get("content", {}).items():
        if media not in new.get("content", {}):
            yield f"the answer {status} is no {media} any more"
        else:
            after = new["content"][media]
            yield from schemas.answered(f"the answer {status}", before.get("schema", {}), after.get("schema", {}))
