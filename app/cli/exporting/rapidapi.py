"""The document that RapidAPI's hub takes: OpenAPI 3.0.3, what its consumers may do, an example of everything.

https://docs.rapidapi.com/docs/openapi-extensions: the hub signs its consumers in itself, so no operation names a way
to; operations about a person's own account, and those of operators, are not for consumers and are left out.
"""

from typing import Any, Final

from app.auth.consumers import CONSUMER_SCOPES
from app.cli.exporting.downgrade import Json, downgrade
from app.cli.exporting.examples import example

METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
CONTENT: Final = "application/json"


def rapidapi(document: Json, public_url: str, readme: str) -> Json:
    """The document of the API at `public_url` for the hub. Raises `CannotSay`."""
    paths = {path: _offered(methods) for path, methods in document["paths"].items() if "/admin" not in path}
    kept = {**document, "paths": {path: methods for path, methods in paths.items() if methods}}
    found = downgrade(kept)
    for operation in operations(found):
        operation.pop("security", None)
        _show(found, operation)
    found["components"].pop("securitySchemes", None)
    found["components"]["schemas"] = _reachable(found)
    found["tags"] = [tag for tag in found.get("tags", []) if tag["name"] in _tags(found)]
    found["servers"] = [{"url": public_url.rstrip("/")}]
    found["info"] |= {
        "x-category": "Storage",
        "x-long-description": found["info"].get("description", ""),
        "x-website": public_url,
        "x-public": True,
        "x-version-lifecycle": "active",
    }
    found["x-documentation"] = {"readme": readme}
    return found


def operations(document: Json) -> list[Json]:
    """Every operation of a document."""
    return [each for methods in document["paths"].values() for name, each in methods.items() if name in METHODS]


def _offered(methods: Json) -> Json:
    shared = {name: each for name, each in methods.items() if name not in METHODS}
    offered = {name: each for name, each in methods.items() if name in METHODS and _is_for_consumers(each)}
    return {**shared, **offered} if offered else {}


def _is_for_consumers(operation: Json) -> bool:
    """Whether the scopes that an operation asks for are among those of consumers."""
    ways = operation.get("security", [])
    scopes = {scope for way in ways for names in way.values() for scope in names}
    return bool(scopes) and scopes <= CONSUMER_SCOPES


def _tags(document: Json) -> set[str]:
    return {tag for operation in operations(document) for tag in operation.get("tags", [])}


def _show(document: Json, operation: Json) -> None:
    """Give every parameter, body and answer of an operation an example."""
    for parameter in operation.get("parameters", []):
        if "schema" in parameter and not parameter.keys() & {"example", "examples"}:
            parameter["example"] = example(document, parameter["schema"])
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for media in (media for body in bodies for media in body.get("content", {}).values()):
        if "schema" in media and not media.keys() & {"example", "examples"}:
            media["example"] = example(document, media["schema"])


def _reachable(document: Json) -> Json:
    """The schemas that the operations need, directly or not."""
    schemas: Json = document["components"]["schemas"]
    found: set[str] = set()
    waiting = _names(document["paths"])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= _names(schemas[name])
    return {name: each for name, each in schemas.items() if name in found}


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_names(each) for each in value.values()))
    return set().union(*(_names(each) for each in value)) if isinstance(value, list) else set()
