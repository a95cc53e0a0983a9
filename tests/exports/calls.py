"""A call of every operation of the OpenAPI document, made of its examples and of the ids of what a person has."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from app.cli.exporting.examples import example

Json = dict[str, Any]
FILE = "(bytes)"
TEXT = b"The excess of the policy is 450 EUR. It ends on 4 May 2027.\n"
ENDING = ("auth_logout", "auth_logout_everywhere", "auth_delete_me", "auth_end_session", "auth_change_password")
LEAVING = ("purge", "leave", "empty", "bulk", "change_items", "cancel", "stop", "dismiss", "offer", "merge")


@dataclass
class Call:
    """One request in the words of the document; the value `FILE` stands for the bytes of a file."""

    operation: str
    tag: str
    method: str
    url: str
    statuses: set[int]
    answers: set[str]
    path: Json = field(default_factory=dict)
    query: Json = field(default_factory=dict)
    headers: Json = field(default_factory=dict)
    body: Any = None
    media: str = ""
    is_guarded: bool = False


def calls(document: Json, ids: Json) -> list[Call]:
    """All of them: what reads before what writes, what deletes at the end, and last what ends the session."""
    made = [
        _call(document, path, method, operation, ids)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(made, key=_turn)


def _turn(call: Call) -> tuple[int, str]:
    """Its place: 0 reads, 1 makes, 2 changes, 3 takes things or persons out, 4 deletes, 5 ends the session."""
    verb = call.operation.partition("_")[2]
    if call.operation in ENDING:
        return 5, call.operation
    if verb.startswith(LEAVING):
        return 3, call.operation
    return {"get": 0, "head": 0, "patch": 2, "put": 2, "delete": 4}.get(call.method, 1), call.operation


def _call(document: Json, path: str, method: str, operation: Json, ids: Json) -> Call:
    statuses = {int(status) for status in operation["responses"]}
    answers = {media for each in operation["responses"].values() for media in each.get("content", {})}
    call = Call(operation["operationId"], operation["tags"][0], method, path, statuses, answers)
    call.is_guarded = bool(operation.get("security"))
    for parameter in operation.get("parameters", []):
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            call.path[name] = ids.get(name, _of(document, parameter, ids))
        elif name in ids or parameter.get("required"):
            kept = call.query if place == "query" else call.headers
            kept[name] = ids.get(name, _of(document, parameter, ids))
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        call.media, media = next(iter(content.items()))
        call.body = fill(_of(document, media, ids), ids)
        if isinstance(call.body, dict) and "stream" in call.body:
            call.body["stream"] = False
    return call


def _of(document: Json, part: Json, ids: Json) -> Any:
    schema = part["schema"]
    if not schema.keys() & {"example", "examples", "$ref"} and schema.get("format") == "uuid":
        return str(uuid4())
    return example(document, schema)


def fill(value: Any, ids: Json) -> Any:
    """The same with the ids that are known, wherever an id of that name is asked for."""
    if isinstance(value, list):
        return [fill(each, ids) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, each in value.items():
        if name in ids and type(each) is type(ids[name]):
            found[name] = ids[name]
        elif name.endswith("_ids") and name[:-1] in ids and isinstance(each, list):
            found[name] = [ids[name[:-1]]]
        else:
            found[name] = fill(each, ids)
    return found
