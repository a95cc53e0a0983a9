"""Whether what a JSON schema allows is allowed by another one (JSON Schema 2020-12 as OpenAPI 3.1 uses it)."""

from collections.abc import Iterator
from typing import Any, Final

Json = dict[str, Any]

LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SAME: Final = ("pattern", "multipleOf", "uniqueItems", "contentMediaType")
CHOICES: Final = ("anyOf", "oneOf")
WHOLE: Final = {"integer": "number"}


class Schemas:
    """The schemas of an old and of a new document, compared in the direction in which they travel."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = _Reader(old)
        self._new = _Reader(new)

    def sent(self, where: str, old: Any, new: Any) -> Iterator[str]:
        """What clients may send by the old schema and may not by the new one."""
        return _Fit(self._old, self._new, answers=False).lines(where, old, new)

    def answered(self, where: str, old: Any, new: Any) -> Iterator[str]:
        """What the new schema may answer that the old one did not promise, and what it does not answer any more."""
        return _Fit(self._new, self._old, answers=True).lines(where, new, old)


class _Reader:
    def __init__(self, document: Json) -> None:
        self._schemas: Json = document.get("components", {}).get("schemas", {})

    def variants(self, schema: Any) -> list[Json]:
        """The schema as a list of simple ones of which one has to hold; `allOf` is joined."""
        if schema is True or schema is False or schema is None:
            return [{}] if schema is not False else []
        if "$ref" in schema:
            return self.variants(self._schemas[schema["$ref"].rpartition("/")[2]])
        if "allOf" in schema:
            return self.variants(self._joined(schema))
        for word in CHOICES:
            if word in schema and "properties" not in schema:
                rest = {key: each for key, each in schema.items() if key not in (word, "discriminator")}
                return [{**rest, **found} for each in schema[word] for found in self.variants(each)]
        kinds = schema.get("type")
        return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else [schema]

    def _joined(self, schema: Json) -> Json:
        joined = {key: each for key, each in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            for found in self.variants(part)[:1]:
                properties = {**joined.get("properties", {}), **found.get("properties", {})}
                required = [*joined.get("required", []), *found.get("required", [])]
                joined |= found | ({"properties": properties, "required": required} if properties else {})
        return joined


class _Fit:
    """Compares what is sent by one side with what the other expects; recursive schemas are gone through once."""

    def __init__(self, sender: _Reader, receiver: _Reader, *, answers: bool) -> None:
        self._sender, self._receiver, self._answers = sender, receiver, answers
        self._seen: set[tuple[str, str]] = set()

    def lines(self, where: str, sent: Any, expected: Any) -> Iterator[str]:
        """How what is sent goes beyond what is expected."""
        key = (str(sent), str(expected))
        if key in self._seen:
            return
        self._seen.add(key)
        wanted = self._receiver.variants(expected)
        for each in self._sender.variants(sent):
            yield from self._nearest(where, each, wanted)
        self._seen.discard(key)

    def _nearest(self, where: str, sent: Json, wanted: list[Json]) -> Iterator[str]:
        """The differences from the choice that fits best; nothing if one fits."""
        tries = [list(self._simple(where, sent, other)) for other in wanted if _kinds_fit(sent, other)]
        if not tries:
            verb = "may now be" if self._answers else "may no longer be"
            yield f"{where} {verb} {_kind(sent)}"
        else:
            yield from min(tries, key=len)

    def _simple(self, where: str, sent: Json, expected: Json) -> Iterator[str]:
        yield from self._words(where, sent, expected)
        if not self._answers:
            yield from _bounds(where, sent, expected)
        if expected.get("format") != sent.get("format") and (self._answers or expected.get("format")):
            yield f"{where} has another format"
        if "properties" in sent or "properties" in expected:
            yield from self._object(where, sent, expected)
        for word, step in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(sent.get(word), dict) and isinstance(expected.get(word), dict):
                yield from self.lines(where + step, sent[word], expected[word])

    def _words(self, where: str, sent: Json, expected: Json) -> Iterator[str]:
        given, wanted = _words_of(sent), _words_of(expected)
        if self._answers:
            if wanted is not None and given is None:
                yield f"{where} is any {_kind(sent)} now"
            elif "const" in expected and given != wanted:
                yield f"{where} is no longer {expected['const']!r}"
        elif wanted is not None:
            lost = "any other word" if given is None else ", ".join(map(str, sorted(given - wanted, key=str)))
            if lost:
                yield f"{where} may no longer be {lost}"

    def _object(self, where: str, sent: Json, expected: Json) -> Iterator[str]:
        ours, theirs = sent.get("properties", {}), expected.get("properties", {})
        before, after = (theirs, ours) if self._answers else (ours, theirs)
        for name in before.keys() - after.keys():
            yield f"{where}.{name} is gone"
        for name in expected.get("required", []):
            if name not in sent.get("required", []) and (name in ours or not self._answers):
                yield f"{where}.{name} " + ("may be left out now" if self._answers else "is now required")
        closed = expected.get("additionalProperties") is False and sent.get("additionalProperties", True) is not False
        if closed and not self._answers:
            yield f"{where} may no longer have other fields"
        for name in ours.keys() & theirs.keys():
            yield from self.lines(f"{where}.{name}", ours[name], theirs[name])


def _kind(schema: Json) -> str:
    return str(schema.get("type") or ("object" if "properties" in schema else "anything"))


def _kinds_fit(sent: Json, expected: Json) -> bool:
    kind, wanted = _kind(sent), _kind(expected)
    return wanted in ("anything", kind, WHOLE.get(kind))


def _words_of(schema: Json) -> set[Any] | None:
    """The values that a schema lists, None if it lists none."""
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None


def _bounds(where: str, sent: Json, expected: Json) -> Iterator[str]:
    for words, sign in ((LEAST, 1), (MOST, -1)):
        for word in words:
            bound, before = expected.get(word), sent.get(word)
            if bound is not None and not _is_default(word, bound) and (before is None or sign * bound > sign * before):
                yield f"{where} has a narrower {word}: {bound}"
    for word in SAME:
        if expected.get(word) and expected[word] != sent.get(word):
            yield f"{where} has another {word}"


def _is_default(word: str, bound: float) -> bool:
    """Whether a bound says nothing: no length is below 0."""
    return bound == 0 and word in ("minLength", "minItems", "minProperties")
