"""A release does not break the clients of the last one, and each way to do so is noticed."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app as commands
from app.cli.exporting.breaking import changes
from app.cli.exporting.contract import contract
from app.main import app

Json = dict[str, Any]
RELEASED = Path(__file__).parent / "released" / "openapi.json"
GET, POST = ("paths", "/things", "get"), ("paths", "/things", "post")
THING, NEW_THING = ("components", "schemas", "Thing"), ("components", "schemas", "NewThing")
ASKED, BODY = (*GET, "parameters"), (*POST, "requestBody")
SENT, SHOWN = (*NEW_THING, "properties"), (*THING, "properties")
DOCUMENT: Json = {
    "paths": {
        "/things": {
            "get": {
                "operationId": "things_list",
                "security": [{"Account": ["read"]}, {"Key": ["read"]}],
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}},
                    {"name": "If-Match", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
                            },
                            "text/csv": {"schema": {"type": "string"}},
                        },
                    },
                    "404": {},
                },
            },
            "post": {
                "operationId": "things_create",
                "parameters": [],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}}},
                "responses": {"204": {}},
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "kind"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "kind": {"enum": ["a", "b"], "type": "string"},
                    "parent": {"anyOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]},
                    "size": {"type": "integer", "maximum": 10},
                },
            },
            "NewThing": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "maxLength": 20, "minLength": 1},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "size": {"type": ["integer", "null"], "minimum": 0},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "part": {"anyOf": [{"$ref": "#/components/schemas/NewThing"}, {"type": "string"}]},
                },
            },
        }
    },
}
GONE = object()


def changed(place: tuple[str | int, ...], value: Any) -> Json:
    found = deepcopy(DOCUMENT)
    part: Any = found
    for step in place[:-1]:
        part = part[step]
    if value is GONE:
        del part[place[-1]]
    elif isinstance(part, list):
        part.insert(int(place[-1]), value) if place[-1] == len(part) else part.__setitem__(int(place[-1]), value)
    else:
        part[place[-1]] = value
    return found


OTHER = {"type": "boolean"}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (POST, GONE, "the operation is gone"),
        ((*GET, "operationId"), "things_find", "the operation id things_list is now things_find"),
        ((*GET, "security"), [{"Account": ["read"]}], "Key with its scopes no longer suffices"),
        ((*GET, "security", 1), {"Key": ["read", "write"]}, "Key with its scopes no longer suffices"),
        ((*POST, "security"), [{"Key": []}], "needs a sign-in"),
        ((*ASKED, 0), GONE, "the query parameter limit is gone"),
        ((*ASKED, 0, "required"), True, "the query parameter limit is now required"),
        ((*ASKED, 0, "schema", "maximum"), 50, "the query parameter limit has a narrower maximum: 50"),
        ((*ASKED, 0, "schema", "type"), "boolean", "the query parameter limit may no longer be integer"),
        (
            (*ASKED, 2),
            {"name": "q", "in": "query", "required": True, "schema": OTHER},
            "the query parameter q is new and required",
        ),
        ((*BODY, "required"), True, "needs a body"),
        (BODY, GONE, "takes no body any more"),
        ((*BODY, "content"), {"text/csv": {}}, "takes no application/json any more"),
        ((*NEW_THING, "required"), ["name", "size"], "the body.size is now required"),
        ((*SENT, "name", "maxLength"), 10, "the body.name has a narrower maxLength: 10"),
        ((*SENT, "name", "minLength"), 2, "the body.name has a narrower minLength: 2"),
        ((*SENT, "name", "pattern"), "^a", "the body.name has another pattern"),
        ((*SENT, "name", "format"), "email", "the body.name has another format"),
        ((*SENT, "kind", "enum"), ["a"], "the body.kind may no longer be b"),
        ((*SENT, "name", "enum"), ["a"], "the body.name may no longer be any other word"),
        ((*SENT, "size", "type"), "integer", "the body.size may no longer be null"),
        ((*SENT, "size", "minimum"), 1, "the body.size has a narrower minimum: 1"),
        ((*SENT, "tags", "items", "maxLength"), 5, "the body.tags[] has a narrower maxLength: 5"),
        ((*SENT, "tags", "maxItems"), 5, "the body.tags has a narrower maxItems: 5"),
        ((*SENT, "tags"), GONE, "the body.tags is gone"),
        ((*SENT, "part", "anyOf", 1), GONE, "the body.part may no longer be string"),
        ((*GET, "responses", "404"), GONE, "the answer 404 is gone"),
        ((*GET, "responses", "200", "headers"), {}, "the answer 200 has no header ETag any more"),
        ((*GET, "responses", "200", "content", "text/csv"), GONE, "the answer 200 is no text/csv any more"),
        ((*SHOWN, "size"), GONE, "the answer 200[].size is gone"),
        ((*THING, "required"), ["id"], "the answer 200[].kind may be left out now"),
        ((*SHOWN, "size", "type"), ["integer", "null"], "the answer 200[].size may now be null"),
        ((*SHOWN, "size", "type"), "number", "the answer 200[].size may now be number"),
        ((*SHOWN, "id", "format"), GONE, "the answer 200[].id has another format"),
        ((*SHOWN, "kind", "enum"), GONE, "the answer 200[].kind is any string now"),
    ],
)
def test_a_break_is_noticed(place: tuple[str | int, ...], value: Any, said: str):
    lines = changes(DOCUMENT, changed(place, value))

    assert [line for line in lines if line.endswith(f": {said}")] != [], lines
    assert len(lines) == 1 or ".parent" in "".join(lines) or ".part" in "".join(lines), lines


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("paths", "/others"), {"get": {"operationId": "others_list", "parameters": [], "responses": {"200": {}}}}),
        ((*ASKED, 2), {"name": "q", "in": "query", "schema": OTHER}),
        ((*ASKED, 1, "name"), "if-match"),
        ((*ASKED, 0, "schema", "maximum"), 200),
        ((*GET, "security", 2), {"Session": []}),
        ((*GET, "responses", "409"), {}),
        ((*NEW_THING, "required"), []),
        ((*NEW_THING, "additionalProperties"), True),
        ((*SENT, "colour"), {"type": "string"}),
        ((*SENT, "kind", "enum"), ["a", "b", "c"]),
        ((*SENT, "name", "maxLength"), 40),
        ((*SENT, "size", "type"), ["number", "null"]),
        ((*SENT, "part", "anyOf", 2), {"type": "null"}),
        ((*SHOWN, "colour"), {"type": "string"}),
        ((*SHOWN, "kind", "enum"), ["a", "b", "c"]),
        ((*SHOWN, "size", "maximum"), 20),
        ((*THING, "required"), ["id", "kind", "size"]),
    ],
)
def test_what_only_adds_breaks_nothing(place: tuple[str | int, ...], value: Any):
    assert changes(DOCUMENT, changed(place, value)) == []


def test_the_released_document_still_holds():
    result = CliRunner().invoke(commands, ["schema", "breaking", str(RELEASED)])

    assert (result.exit_code, result.stdout) == (0, "Nothing breaks.\n")


def test_the_command_ends_with_1_on_a_break(tmp_path: Path):
    broken = json.loads(RELEASED.read_text())
    del broken["paths"]["/v1/vault/items"]["post"]
    (tmp_path / "new.json").write_text(json.dumps(broken))

    result = CliRunner().invoke(commands, ["schema", "breaking", str(RELEASED), str(tmp_path / "new.json")])

    assert (result.exit_code, result.stdout) == (
        1,
        "POST /v1/vault/items: the operation is gone\n1 breaking changes\n",
    )


def test_the_kept_form_of_a_document_loses_nothing_that_is_compared():
    whole = app.openapi()
    kept = json.loads(contract(whole))

    assert changes(kept, whole) == []
    assert [line for line in changes(whole, kept) if not re.search(r"the answer [45]\d\d", line)] == []
    assert kept["paths"].keys() == whole["paths"].keys()
