"""Examples of what a schema describes, made of the examples, choices and defaults in it."""

from typing import Any, Final

Json = dict[str, Any]

DEEPEST: Final = 12
TEXTS: Final[dict[str, str]] = {
    "uuid": "01a1fbe8-3eef-7d27-809c-9cfaba724faa",
    "date-time": "2026-11-29T08:30:00Z",
    "date": "2026-11-29",
    "time": "08:30:00",
    "email": "ana@example.com",
    "uri": "https://example.com/",
    "binary": "(bytes)",
    "byte": "cGFwZXI=",
}
PLAIN: Final[Json] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True}


def example(document: Json, schema: Json, depth: int = 0) -> Any:
    """A value that fits a schema of a document; parts that may be left out and go too deep are."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(document, document["components"]["schemas"][name], depth + 1)
    if "example" in schema:
        return schema["example"]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "allOf" in schema:
        return _joined([example(document, each, depth + 1) for each in schema["allOf"]])
    if "properties" in schema and "oneOf" in schema:
        return _one_of(document, schema, depth)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return example(document, _first(schema[key]), depth + 1)
    return _of_type(document, schema, depth)


def _one_of(document: Json, schema: Json, depth: int) -> Any:
    """An object of which exactly one of some properties is there: the first."""
    ways = [set(way.get("required", ())) for way in schema["oneOf"]]
    others = set[str]().union(*ways) - ways[0]
    kept = {name: each for name, each in schema["properties"].items() if name not in others}
    return {name: example(document, each, depth + 1) for name, each in kept.items()}


def _first(choices: list[Json]) -> Json:
    return next((each for each in choices if each.get("type") != "null"), choices[0])


def _joined(parts: list[Any]) -> Any:
    if all(isinstance(part, dict) for part in parts):
        return {key: value for part in parts for key, value in part.items()}
    return parts[0]


def _of_type(document: Json, schema: Json, depth: int) -> Any:
    kind = schema.get("type")
    kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        wanted = schema.get("properties", {})
        if depth > DEEPEST:
            wanted = {name: each for name, each in wanted.items() if name in schema.get("required", ())}
        return {name: example(document, each, depth + 1) for name, each in wanted.items()}
    if kind == "array":
        count = max(schema.get("minItems", 0), 1 if depth <= DEEPEST else 0)
        return [example(document, schema.get("items", {}), depth + 1) for _ in range(count)]
    if kind == "string":
        text = TEXTS.get(schema.get("format", ""), "text")
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), min(1, schema.get("maximum", 1)))
    return PLAIN.get(kind or "")
