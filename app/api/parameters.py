"""Parameters of paths, queries and headers: which are scalars under one name is found out once, not on each request.

What is anything else (lists, several names, models that take or forbid other names) is left to FastAPI.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from fastapi import params
from fastapi._compat import ModelField, field_annotation_is_scalar
from fastapi.dependencies.utils import request_params_to_args
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Values: TypeAlias = dict[str, Any]
Errors: TypeAlias = list[Any]

CONSTANTS: Final = (str, int, bool, float, type(None))
"""Defaults of these types need no copy for each request."""


class Parameter:
    """One parameter that is a scalar."""

    def __init__(self, field: ModelField) -> None:
        info = field.field_info
        assert isinstance(info, params.Param)  # noqa: S101
        self._field = field
        self._alias = field.validation_alias or field.alias
        self._loc = (info.in_.value, self._alias)
        self._default = _default_of(field)

    def read(self, given: Mapping[str, Any], values: Values, errors: Errors) -> None:
        """Put its value among the values, or what is wrong with it among the errors."""
        value = given.get(self._alias)
        if value is None and self._default:
            values[self._field.name] = self._default[0]
        elif value is None:
            _by_fastapi([self._field], given, values, errors)
        else:
            _put(self._field, self._field.validate(value, values, loc=self._loc), values, errors)


class Group:
    """A model whose fields are scalars, each of them a parameter."""

    def __init__(self, field: ModelField, model: type[BaseModel]) -> None:
        info = field.field_info
        assert isinstance(info, params.Param)  # noqa: S101
        self._field = field
        self._aliases = [_alias_of(name, each) for name, each in model.model_fields.items()]
        self._loc = (info.in_.value,)

    def read(self, given: Mapping[str, Any], values: Values, errors: Errors) -> None:
        """Put the model among the values, or what is wrong with it among the errors."""
        found = {alias: given[alias] for alias in self._aliases if alias in given}
        _put(self._field, self._field.validate(found, values, loc=self._loc), values, errors)


class Others:
    """Parameters that FastAPI reads."""

    def __init__(self, fields: list[ModelField]) -> None:
        self._fields = fields

    def read(self, given: Mapping[str, Any], values: Values, errors: Errors) -> None:
        """Put them among the values, or what is wrong with them among the errors."""
        _by_fastapi(self._fields, given, values, errors)


class Parameters:
    """The parameters that a function takes from one part of a request."""

    def __init__(self, fields: Sequence[ModelField]) -> None:
        self._readers = [_reader_of(field) for field in fields]

    def __bool__(self) -> bool:
        return bool(self._readers)

    def read(self, given: Mapping[str, Any], values: Values, errors: Errors) -> None:
        """Put all among the values, or what is wrong with them among the errors, in their order."""
        for reader in self._readers:
            reader.read(given, values, errors)


def _reader_of(field: ModelField) -> Parameter | Group | Others:
    annotation, info = field.field_info.annotation, field.field_info
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Group(field, annotation) if _is_flat(annotation, info) else Others([field])
    return Parameter(field) if _is_scalar(info) else Others([field])


def _is_flat(model: type[BaseModel], info: FieldInfo) -> bool:
    takes_others = model.model_config.get("extra") in ("allow", "forbid")
    return isinstance(info, params.Query) and not takes_others and all(map(_is_scalar, model.model_fields.values()))


def _is_scalar(info: FieldInfo) -> bool:
    one_name = info.validation_alias is None or isinstance(info.validation_alias, str)
    return one_name and bool(field_annotation_is_scalar(info.annotation))


def _alias_of(name: str, info: FieldInfo) -> str:
    return info.validation_alias if isinstance(info.validation_alias, str) else info.alias or name


def _default_of(field: ModelField) -> tuple[Any] | tuple[()]:
    """The value of a parameter that is not given, if it needs neither a copy nor a check."""
    info = field.field_info
    settled = not info.is_required() and not info.default_factory and not info.validate_default
    return (info.default,) if settled and isinstance(info.default, CONSTANTS) else ()


def _by_fastapi(fields: list[ModelField], given: Mapping[str, Any], values: Values, errors: Errors) -> None:
    found, wrong = request_params_to_args(fields, given)
    values |= found
    errors += wrong


def _put(field: ModelField, checked: tuple[Any, Errors], values: Values, errors: Errors) -> None:
    value, wrong = checked
    if wrong:
        errors += wrong
    else:
        values[field.name] = value
