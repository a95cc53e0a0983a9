"""Parameters as Stripe's API reads them: `items[0][price]=…`, true and false in words, None left out."""

from collections.abc import Iterator, Mapping, Sequence


def encoded(params: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names and values of a form, in order. An empty text stays: it unsets a field."""
    return list(_pairs(params))


def _pairs(values: Mapping[str, object], within: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        yield from _value(f"{within}[{key}]" if within else key, value)


def _value(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from _pairs(value, name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for place, each in enumerate(value):
            yield from _value(f"{name}[{place}]", each)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)
