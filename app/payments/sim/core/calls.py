"""Which function answers which call, and what it is given."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc, Invalid, Missing
from app.payments.sim.core.wire import Params

MOST_IN_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the books it works on and its parameters."""

    books: Books
    params: Params
    path: str


Handler = Callable[..., Doc]
ROUTES: Final[dict[tuple[str, int], list[tuple[tuple[str, ...], Handler]]]] = {}


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Register the function that answers a call; what stands in braces becomes its arguments."""
    parts = tuple(path.strip("/").split("/"))

    def register(handler: Handler) -> Handler:
        known = ROUTES.setdefault((method, len(parts)), [])
        known.append((parts, handler))
        known.sort(key=lambda entry: sum(part.startswith("{") for part in entry[0]))
        return handler

    return register


def find_handler(method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
    """The function for a call and its arguments. Raises `Missing`."""
    parts = tuple(path.strip("/").split("/"))
    for pattern, handler in ROUTES.get((method, len(parts)), ()):
        pairs = list(zip(pattern, parts, strict=True))
        if all(want == have or want.startswith("{") for want, have in pairs):
            return handler, tuple(have for want, have in pairs if want.startswith("{"))
    code = "url_invalid"
    raise Missing(f"Unrecognized request URL ({method}: {re.sub(r'[^ -~]', '?', path)[:200]}).", code=code)


def listing(
    call: Call,
    kind: str,
    *,
    customer: str | None = None,
    parent: str | None = None,
    where: dict[str, Any] | None = None,
    since: int | None = None,
) -> Doc:
    """One page of objects, newest first; `where` are paths in the object and what must stand there."""
    params = call.params
    limit = params.integer("limit", minimum=1, maximum=MOST_IN_A_PAGE) or 10
    after, before = params.text("starting_after"), params.text("ending_before")
    clauses, values = _time_range(params)
    if since is not None:
        clauses.append("created >= ?")
        values.append(since)
    for path, value in (where or {}).items():
        if value is not None:
            options = value if isinstance(value, list) else [value]
            clauses.append(f"json_extract(body, '$.{path}') IN ({','.join('?' * len(options))})")
            values += options
    for cursor, sign in ((after, "<"), (before, ">")):
        if cursor is not None:
            clauses.append(f"seq {sign} ?")
            values.append(_position(call.books, kind, cursor))
    found = call.books.find(
        kind,
        customer=customer,
        parent=parent,
        limit=limit + 1,
        where=" AND ".join(clauses) or "1",
        values=tuple(values),
        oldest_first=before is not None,
    )
    page = found[:limit]
    return page_of(page[::-1] if before is not None else page, call.path, has_more=len(found) > limit)


def page_of(docs: list[Doc], url: str, *, has_more: bool = False) -> Doc:
    """A list object."""
    return {"object": "list", "url": url, "has_more": has_more, "data": docs}


def page_inside(call: Call, docs: list[Doc]) -> Doc:
    """A page of objects that are part of another one, such as the lines of an invoice."""
    limit = call.params.integer("limit", minimum=1, maximum=MOST_IN_A_PAGE) or 10
    after = call.params.text("starting_after")
    call.params.accept("ending_before")
    start = next((index + 1 for index, doc in enumerate(docs) if doc["id"] == after), 0)
    return page_of(docs[start : start + limit], call.path, has_more=len(docs) > start + limit)


def _position(books: Books, kind: str, cursor: str) -> int:
    seq = books.seq_of(kind, cursor)
    if seq is None:
        raise Missing(f"No such {kind}: '{cursor[:100]}'", param="starting_after")
    return seq


def _time_range(params: Params) -> tuple[list[str], list[Any]]:
    try:
        created = params.group("created")
    except Invalid:
        return ["created = ?"], [params.integer("created")]
    bounds = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    found = {sign: created.integer(name) for name, sign in bounds.items()}
    given = {sign: value for sign, value in found.items() if value is not None}
    return [f"created {sign} ?" for sign in given], list(given.values())
