"""Two cuts of the OpenAPI document: what a release promises, and what openapi-python-client can read."""

import json
from copy import deepcopy
from typing import Any, Final

Json = dict[str, Any]

WORDS: Final = frozenset({"description", "summary", "title", "examples", "example", "tags", "default"})
NAMED: Final = frozenset({"properties", "schemas", "paths", "content", "headers", "responses", "mapping"})
STREAM: Final = "text/event-stream"


def contract(document: Json) -> str:
    """The document as text, without words and examples, a line for each operation and each schema."""
    kept: Json = {name: _bare(each, False) for name, each in document.items() if name in ("paths", "components")}
    head = {"openapi": document["openapi"], "info": {key: document["info"][key] for key in ("title", "version")}}
    lines = [json.dumps(head)[:-1] + ', "paths": {']
    paths = [f"{json.dumps(path)}: {{\n{_lines(methods)}\n}}" for path, methods in sorted(kept["paths"].items())]
    lines.append(",\n".join(paths))
    lines.append('}, "components": {"schemas": {')
    lines.append(_lines(kept["components"]["schemas"]))
    return "\n".join([*lines, "}}}"]) + "\n"


def _lines(entries: Json) -> str:
    return ",\n".join(
        f"{json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in sorted(entries.items())
    )


def _bare(part: Any, names: bool) -> Any:
    """Without words; within `names` the keys are names of things and stay, whatever they are."""
    if isinstance(part, list):
        return [_bare(each, False) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _bare(each, key in NAMED and not names) for key, each in part.items() if names or key not in WORDS}
    if not names and "responses" in kept:
        kept["responses"] = {
            status: {} if int(status) >= 400 else each
            for status, each in kept["responses"].items()  # all are problems
        }
    return kept


def streams_as_text(document: Json) -> Json:
    """A copy in which server-sent events are text: the generator takes their schema for that of a JSON answer."""
    found = deepcopy(document)
    for operation in (each for methods in found["paths"].values() for each in methods.values()):
        for answer in operation["responses"].values():
            if STREAM in answer.get("content", {}):
                answer["content"][STREAM]["schema"] = {"type": "string"}
    return found
