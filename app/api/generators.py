"""The OpenAPI document in words that generators of clients understand too."""

from typing import Any, Final

Json = dict[str, Any]

PREFIX: Final = "#/components/schemas/"
LEFT_OUT: Final = frozenset({"app", "schemas"})


def suit_generators(document: Json) -> None:
    """Name schemas as classes are named, and say a parameter's only value as a choice of one."""
    _name_schemas(document)
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        for parameter in operation.get("parameters", []):
            if "const" in parameter["schema"]:
                parameter["schema"]["enum"] = [parameter["schema"].pop("const")]


def _name_schemas(document: Json) -> None:
    """Rename the schemas that pydantic tells apart by their modules: `app__rag__schemas__Usage` is `RagUsage`.

    Their titles are renamed too: some generators call classes by them.
    """
    schemas: Json = document["components"]["schemas"]
    names = {name: _named(name) for name in schemas if "__" in name}
    document["components"]["schemas"] = {names.get(name, name): each for name, each in schemas.items()}
    for name in names.values():
        document["components"]["schemas"][name]["title"] = name
    _refer(document, {PREFIX + old: PREFIX + new for old, new in names.items()})


def _named(name: str) -> str:
    *modules, own = name.split("__")
    words = [word for module in modules if module not in LEFT_OUT for word in module.split("_")]
    return "".join(word.capitalize() for word in words) + own


def _refer(part: Any, names: dict[str, str]) -> None:
    """Let references, and the mappings of discriminators, name what they meant before."""
    if isinstance(part, dict):
        for key, value in part.items():
            if isinstance(value, str) and value in names:
                part[key] = names[value]
            else:
                _refer(value, names)
    elif isinstance(part, list):
        for each in part:
            _refer(each, names)
