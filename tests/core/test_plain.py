"""Answers that orjson writes are, byte for byte, what pydantic writes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, PlainSerializer, computed_field, field_serializer

from app.core.plain import default_of, written
from app.core.schemas import ResponseModel
from app.main import app


class Colour(StrEnum):
    RED = "red"


class Leaf(ResponseModel):
    id: UUID
    text: str
    number: float
    anything: Any


class Leaves(ResponseModel):
    when: datetime | None
    day: date
    colour: Colour
    leaves: list[Leaf]
    by_name: dict[str, Leaf | int]
    pair: tuple[int, bool]


class SecretLeaf(Leaf):
    secret: str


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OTHERS = st.uuids() | st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-3))])) | st.dates()
LEAF = st.builds(
    Leaf, id=st.uuids(), text=st.text(), number=st.floats(), anything=JSON | OTHERS | st.binary() | st.decimals()
)
ANSWERS = st.builds(
    Leaves,
    when=st.none() | st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))])),
    day=st.dates(),
    colour=st.just(Colour.RED),
    leaves=st.lists(LEAF, max_size=3),
    by_name=st.dictionaries(st.text(), LEAF | st.integers(), max_size=3),
    pair=st.tuples(st.integers(), st.booleans()),
)


def by_pydantic(answer: ResponseModel) -> bytes:
    return answer.__pydantic_serializer__.to_json(answer, by_alias=True)


def answers() -> Iterator[type[ResponseModel]]:
    """Every kind of answer of the API."""
    app.openapi()
    kinds = [ResponseModel]
    while kinds:
        for kind in kinds.pop().__subclasses__():
            kinds.append(kind)
            if kind.__module__.startswith("app."):
                kind.model_rebuild()
                yield kind


@given(ANSWERS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_an_answer_is_written_as_pydantic_writes_it(answer: Leaves):
    try:
        expected = by_pydantic(answer)
    except ValueError:  # bytes that are no text
        assert written(answer) is None
    else:
        assert answer.to_json() == expected


def test_most_answers_of_the_api_are_written_by_orjson_and_none_that_says_how_it_is_to_be_written():
    kinds = list(answers())
    plain = [kind for kind in kinds if default_of(kind)]

    assert len(plain) > 0.8 * len(kinds)
    for kind in plain:
        assert "serialization': " not in str(kind.__pydantic_core_schema__)
        assert not kind.model_computed_fields


def test_more_than_an_answer_shows_is_not_shown():
    leaf = SecretLeaf(id=UUID(int=1), text="a", number=1, anything=None, secret="not shown")
    answer = Leaves(
        when=None, day=date(2026, 1, 2), colour=Colour.RED, leaves=[leaf], by_name={"a": leaf}, pair=(1, True)
    )

    assert written(answer) is None
    assert b"not shown" not in answer.to_json()


class Aliased(ResponseModel):
    name: str = Field(serialization_alias="Name")


class Excluded(ResponseModel):
    name: str = Field(exclude=True)


class ExcludedAtTimes(ResponseModel):
    name: str = Field(exclude_if=lambda name: name == "Ada")


class InSeconds(ResponseModel, ser_json_temporal="seconds"):
    name: str


class Own(ResponseModel):
    name: Annotated[str, PlainSerializer(str.upper)]


class Method(ResponseModel):
    name: str

    @field_serializer("name")
    def loud(self, name: str) -> str:
        return name.upper()


class Computed(ResponseModel):
    name: str

    @computed_field
    def length(self) -> int:
        return len(self.name)


class Kept(ResponseModel):
    name: str

    @cached_property
    def length(self) -> int:
        return len(self.name)


class Open(ResponseModel, extra="allow"):
    name: str


class Both(ResponseModel):
    leaf: Leaf
    secret: SecretLeaf


@pytest.mark.parametrize("kind", [Aliased, Excluded, ExcludedAtTimes, InSeconds, Own, Method, Computed, Kept, Open])
def test_what_says_how_it_is_written_is_left_to_pydantic(kind: type[ResponseModel]):
    answer = kind(name="Ada")
    if isinstance(answer, Kept):
        assert answer.length == 3

    assert written(answer) is None
    assert answer.to_json() == by_pydantic(answer)


def test_a_class_whose_objects_were_made_by_another_is_looked_at_all_the_same():
    class Inner(ResponseModel):
        name: Annotated[str, PlainSerializer(str.upper)]

    class Outer(ResponseModel):
        inner: Inner

    outer = Outer.model_validate({"inner": {"name": "Ada"}})

    assert not Inner.__pydantic_complete__
    assert outer.inner.to_json() == b'{"name":"ADA"}'
    assert outer.to_json() == b'{"inner":{"name":"ADA"}}'


def test_a_class_beside_one_that_is_made_of_it_is_left_to_pydantic():
    Both.model_rebuild()

    assert default_of(Both) is None
