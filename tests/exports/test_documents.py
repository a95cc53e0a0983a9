"""The exported OpenAPI documents: valid, only what the reader may do, with examples that fit."""

import json
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from typer.testing import CliRunner

from app.auth.consumers import CONSUMER_SCOPES
from app.cli import app as commands
from app.cli.exporting.downgrade import CannotSay, schema
from app.cli.exporting.examples import example
from app.cli.exporting.rapidapi import operations

Json = dict[str, Any]


def exported(*arguments: str) -> Json:
    result = CliRunner().invoke(commands, ["export", "openapi", *arguments], env={"LIFEVAULT_BLOB_URL": ""})
    assert result.exit_code == 0, result.output
    found: Json = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def whole() -> Json:
    return exported()


@pytest.fixture(scope="module")
def hub() -> Json:
    return exported("--target", "rapidapi")


def test_both_documents_are_valid(whole: Json, hub: Json):
    assert (whole["openapi"], hub["openapi"]) == ("3.1.0", "3.0.3")
    assert list(OpenAPIV31SpecValidator(whole).iter_errors()) == []
    assert list(OpenAPIV30SpecValidator(hub).iter_errors()) == []


def test_the_hub_sees_only_what_its_consumers_may_do(whole: Json, hub: Json):
    text = json.dumps(hub)
    assert 40 < len(operations(hub)) < len(operations(whole))
    assert "/admin" not in text.replace("/administrative", "")
    assert not [
        path for path in hub["paths"] if path.startswith(("/v1/auth", "/metrics", "/health", "/v1/payments/webh"))
    ]
    for path, methods in hub["paths"].items():
        for method in methods.keys() & {"get", "post", "put", "patch", "delete"}:
            ways = whole["paths"][path][method]["security"]
            assert {scope for way in ways for names in way.values() for scope in names} <= CONSUMER_SCOPES
    assert "security" not in text.replace("securely", "").replace("social_security", "").replace("security", "", 0) or (
        "securitySchemes" not in hub["components"]
    )
    assert all("security" not in operation for operation in operations(hub))
    assert {"x-category", "x-long-description", "x-website", "x-public"} <= hub["info"].keys()


def test_every_parameter_body_and_answer_has_an_example(hub: Json):
    lacking = []
    for operation in operations(hub):
        parts = [each for each in operation.get("parameters", []) if "schema" in each]
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        parts += [media for body in bodies for media in body.get("content", {}).values() if "schema" in media]
        lacking += [operation["operationId"] for part in parts if not part.keys() & {"example", "examples"}]

    assert lacking == []


def test_examples_of_requests_fit_their_schemas(whole: Json):
    wrong = []
    for operation in operations(whole):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if media is not None:
            made = example(whole, media["schema"])
            checked = {**media["schema"], "components": whole["components"]}
            errors = jsonschema.Draft202012Validator(checked).iter_errors(made)
            wrong += [(operation["operationId"], error.message[:100]) for error in errors]

    assert wrong == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": ["string", "null"], "maxLength": 3}, {"type": "string", "maxLength": 3, "nullable": True}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "integer", "nullable": True}),
        (
            {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            {"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": True},
        ),
        ({"const": "x"}, {"enum": ["x"]}),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "example": "a"}),
        ({"type": "string", "contentMediaType": "application/octet-stream"}, {"type": "string", "format": "binary"}),
        (
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}]},
            {"type": "array", "items": {"type": "integer"}},
        ),
        (True, {}),
        (
            {"$ref": "#/components/schemas/A", "description": "x"},
            {"allOf": [{"$ref": "#/components/schemas/A"}], "description": "x"},
        ),
    ],
)
def test_each_word_of_3_1_has_its_counterpart(given: Any, expected: Json):
    assert schema(given) == expected


def test_what_has_none_is_refused():
    with pytest.raises(CannotSay):
        schema({"if": {"type": "string"}, "then": {"minLength": 1}})
