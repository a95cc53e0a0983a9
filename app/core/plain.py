"""Which answers orjson may write: those of which it makes the same bytes as pydantic, in less than half the time.

Whether a class is of that kind is read from the schema that pydantic made of it: everything in it is known here, and
nothing says how it is to be serialised. A value that turns out to be something else is left to pydantic.
"""

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from itertools import chain, permutations
from typing import Any, Final, TypeAlias, cast

import orjson
from pydantic import BaseModel

Schema: TypeAlias = dict[str, Any]
Default: TypeAlias = Callable[[Any], dict[str, Any]]

KINDS: Final = frozenset(
    (
        *("any", "bool", "date", "datetime", "enum", "float", "int", "literal", "none", "str", "uuid"),
        *("default", "dict", "list", "nullable", "tagged-union", "tuple", "union"),
        *("model", "model-field", "model-fields", "definition-ref", "definitions"),
        *("chain", "function-after", "function-before", "function-plain", "function-wrap"),
        *("json-or-python", "lax-or-strict"),
    )
)
INSIDE: Final = (
    *("schema", "items_schema", "keys_schema", "values_schema", "strict_schema", "lax_schema"),
    *("json_schema", "python_schema", "fields", "choices", "steps", "definitions"),
)
SPECIAL: Final = ("ser", "polymorphic_ser", "computed_fields", "extras_schema", "root_model")
"""What the facts begin with, in a schema or its configuration, that say how something is serialised."""


def written(answer: BaseModel) -> bytes | None:
    """An answer as JSON in UTF-8, exactly as `model_dump_json(by_alias=True)` gives it; None if pydantic must do it."""
    default = default_of(type(answer))
    if default is None:
        return None
    try:
        return orjson.dumps(answer.__dict__, default=default, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        return None


@cache
def default_of(model: type[BaseModel]) -> Default | None:
    """What gives orjson the content of the models in an answer; None for classes that are not plain."""
    models = _models_of(model)
    if models is None:
        return None

    def content(value: Any) -> dict[str, Any]:
        if type(value) not in models:  # not even a subclass: it may have more than the answer shows
            raise TypeError
        return cast(dict[str, Any], value.__dict__)

    return content


def _models_of(model: type[BaseModel]) -> frozenset[type] | None:
    """The classes that a plain class is made of."""
    if not model.__pydantic_complete__:  # it is made with the first object, or never if others hold all objects of it
        model.model_rebuild()
    found = set[type]()
    for schema in _within(cast(Schema, model.__pydantic_core_schema__)):
        if schema["type"] not in KINDS or _is_special(schema | schema.get("config", {})):
            return None
        if schema["type"] == "model":
            if _keeps_properties(schema["cls"]):
                return None
            found.add(schema["cls"])
    related = any(issubclass(one, other) for one, other in permutations(found, 2))
    return None if related else frozenset(found)


def _within(schema: Any) -> Iterator[Schema]:
    """A schema and all that are in it."""
    if isinstance(schema, list | tuple):
        yield from chain.from_iterable(map(_within, schema))
    elif isinstance(schema, dict) and not isinstance(schema.get("type"), str):  # schemas by the name of a field
        yield from chain.from_iterable(map(_within, schema.values()))
    elif isinstance(schema, dict):
        yield schema
        for name in INSIDE:
            yield from _within(schema.get(name))


def _is_special(facts: Schema) -> bool:
    is_open = "allow" in (facts.get("extra_behavior"), facts.get("extra_fields_behavior"))
    return is_open or any(value and name.startswith(SPECIAL) for name, value in facts.items())


def _keeps_properties(cls: type) -> bool:
    """Whether its instances keep what they have computed beside their fields."""
    return any(isinstance(each, cached_property) for base in cls.__mro__ for each in vars(base).values())
