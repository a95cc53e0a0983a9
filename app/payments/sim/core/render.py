"""Objects as a caller sees them: without what is ours, with `expand` filled in."""

from collections.abc import Callable
from typing import Any, Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc, Invalid
from app.payments.sim.core.events import public
from app.payments.sim.core.ids import kind_of

DEEPEST: Final = 4
NAMED: Final = {"coupon": "coupon", "product": "product"}
"""Fields whose objects may have ids of the caller's choice."""
Include = Callable[[Books, Doc], Any]
INCLUDES: Final[dict[tuple[str, str], Include]] = {}
LIVE: Final[dict[str, Callable[[Books, Doc], Doc]]] = {}


def include(kind: str, field: str) -> Callable[[Include], Include]:
    """Register what fills a field that is only there when it is asked for."""

    def register(function: Include) -> Include:
        INCLUDES[(kind, field)] = function
        return function

    return register


def live(kind: str) -> Callable[[Callable[[Books, Doc], Doc]], Callable[[Books, Doc], Doc]]:
    """Register fields that follow the clock."""

    def register(function: Callable[[Books, Doc], Doc]) -> Callable[[Books, Doc], Doc]:
        LIVE[kind] = function
        return function

    return register


def render(books: Books, doc: Doc, expand: list[str]) -> Doc:
    """An object (or a page of them) for the answer. Raises `Invalid` for a path that can't be expanded."""
    shown = _shown(books, doc)
    for path in expand:
        parts = path.split(".")
        if len(parts) > DEEPEST + 1:
            raise Invalid(f"You can't expand more than {DEEPEST} levels.", param="expand")
        _expand(books, shown, parts)
    return shown


def _shown(books: Books, doc: Doc) -> Doc:
    if doc.get("object") == "list":
        return {**doc, "data": [_shown(books, each) for each in doc["data"]]}
    extra = LIVE.get(doc.get("object", ""))
    return public(doc) | (extra(books, doc) if extra and not doc.get("deleted") else {})


def _expand(books: Books, place: Any, parts: list[str]) -> None:
    if isinstance(place, list):
        for each in place:
            _expand(books, each, parts)
        return
    if not isinstance(place, dict) or not parts:
        return
    name, *rest = parts
    including = INCLUDES.get((place.get("object", ""), name))
    if including is not None and place.get(name) is None:
        value = including(books, place)
        place[name] = None if value is None else _shown(books, value)
    elif name not in place:
        raise Invalid(f"This property cannot be expanded ({name}).", param="expand")
    elif isinstance(place[name], list):
        place[name] = [_resolved(books, name, each) for each in place[name]]
    else:
        place[name] = _resolved(books, name, place[name])
    _expand(books, place[name], rest)


def _resolved(books: Books, name: str, value: Any) -> Any:
    if isinstance(value, dict) and "object" not in value:
        return dict(value)
    kind = (NAMED.get(name) or kind_of(value)) if isinstance(value, str) else None
    doc = books.peek(kind, value) if kind else None
    return value if doc is None else _shown(books, doc)
