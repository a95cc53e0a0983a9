"""From OpenAPI 3.1 to 3.0.3 (https://spec.openapis.org/oas/v3.0.3), for readers that know no newer one.

What 3.0.3 has no words for and a client needs raises `CannotSay`; what is only a finer check is left out.
"""

from collections.abc import Callable
from typing import Any, Final

Json = dict[str, Any]

VERSION: Final = "3.0.3"
UNSAYABLE: Final = frozenset({"if", "then", "else", "dependentSchemas", "dependentRequired", "contains", "$dynamicRef"})
DROPPED: Final = frozenset({"propertyNames", "contentSchema", "$schema", "$id", "$comment", "unevaluatedProperties"})
SCHEMAS: Final = frozenset({"items", "not", "additionalProperties"})
LISTS: Final = frozenset({"anyOf", "oneOf", "allOf"})


class CannotSay(Exception):
    """A schema uses a word that has no counterpart in OpenAPI 3.0.3."""


def downgrade(document: Json) -> Json:
    """The same document as OpenAPI 3.0.3. Raises `CannotSay`."""
    info = {key: value for key, value in document["info"].items() if key != "summary"}
    kept = {key: value for key, value in document.items() if key not in ("openapi", "info", "webhooks")}
    found: Json = {"openapi": VERSION, "info": info, **_walk(kept, _media)}
    components = found.get("components", {})
    schemas = document.get("components", {}).get("schemas", {})
    components["schemas"] = {name: schema(each) for name, each in schemas.items()}
    return found


def _walk(value: Any, media: Callable[[Json], Json]) -> Any:
    """Every `schema` within, downgraded; the rest as it is."""
    if isinstance(value, list):
        return [_walk(each, media) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _walk(each, media) for key, each in value.items() if key not in ("schema", "examples", "example")}
    for key in ("examples", "example"):
        if key in value:
            found[key] = value[key]
    if "schema" in value:
        found["schema"] = schema(value["schema"])
    return media(found)


def _media(found: Json) -> Json:
    """A parameter or a body has examples by name; a list of them, as schemas have it in 3.1, is one example."""
    if isinstance(found.get("examples"), list):
        examples = found.pop("examples")
        if examples:
            found["example"] = examples[0]
    return found


def schema(given: Any) -> Any:
    """One schema of JSON Schema 2020-12 as a schema object of 3.0.3. Raises `CannotSay`."""
    if given is True or given == {}:
        return {}
    if given is False:
        return {"not": {}}
    if unsayable := UNSAYABLE & given.keys():
        raise CannotSay(f"{sorted(unsayable)[0]} has no counterpart in OpenAPI {VERSION}")
    found: Json = {}
    for key, value in given.items():
        if key in DROPPED:
            continue
        if key in SCHEMAS:
            found[key] = value if isinstance(value, bool) and key == "additionalProperties" else schema(value)
        elif key in LISTS:
            found[key] = [schema(each) for each in value]
        elif key in ("properties", "$defs"):
            found[key] = {name: schema(each) for name, each in value.items()}
        elif key == "patternProperties":
            found["additionalProperties"] = {"anyOf": [schema(each) for each in value.values()]}
        else:
            found[key] = value
    return _nullable(_renamed(found))


def _renamed(found: Json) -> Json:
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if examples := found.pop("examples", None):
        found.setdefault("example", examples[0])
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(word), int | float) and not isinstance(found[word], bool):
            found[bound], found[word] = found[word], True
    if found.pop("contentEncoding", None) == "base64":
        found["format"] = "byte"
    elif found.pop("contentMediaType", None) == "application/octet-stream":
        found["format"] = "binary"
    found.pop("contentMediaType", None)
    if prefix := found.pop("prefixItems", None):
        kinds = [schema(each) for each in prefix]
        found["items"] = kinds[0] if all(each == kinds[0] for each in kinds) else {"anyOf": kinds}
    if "$ref" in found and len(found) > 1:
        found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found


def _nullable(found: Json) -> Json:
    """`null` is a type in 3.1 and a property of a type in 3.0."""
    kinds = found.get("type")
    if isinstance(kinds, list):
        rest = [kind for kind in kinds if kind != "null"]
        if len(rest) > 1:
            found.pop("type")
            found["anyOf"] = [{"type": kind} for kind in rest]
        else:
            found["type"] = rest[0]
        if len(rest) < len(kinds):
            found["nullable"] = True
    elif kinds == "null":
        return {"nullable": True, "enum": [None], **{k: v for k, v in found.items() if k not in ("type", "enum")}}
    for word in ("anyOf", "oneOf"):
        if word in found:
            found = _without_null(found, word)
    return found


def _without_null(found: Json, word: str) -> Json:
    rest = [each for each in found[word] if each.get("enum") != [None]]
    if len(rest) == len(found[word]):
        return found
    others = {key: value for key, value in found.items() if key != word}
    if len(rest) == 1 and "$ref" not in rest[0]:
        return {**rest[0], **others, "nullable": True}
    return {**others, ("allOf" if len(rest) == 1 else word): rest, "nullable": True}
