"""The way from a request to its route."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.convertors import IntegerConvertor, StringConvertor, UUIDConvertor
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.endpoints import app_of

FOUND: Final = "lifevault.route"  # in the scope of a request
ONE_SEGMENT: Final = (IntegerConvertor, StringConvertor, UUIDConvertor)


@dataclass(frozen=True, slots=True)
class Entry:
    """A route by its whole path as the OpenAPI document writes it, and what answers its requests."""

    path_format: str
    pattern: re.Pattern[str]
    route: BaseRoute
    app: ASGIApp


class RouteTable(BaseRoute):
    """Finds a route by its method and the number of slashes in its path, then by its pattern.

    FastAPI tries one route after another, and those of included routers once on each level. It still does so for what
    is not found here, and answers 404, 405 or a redirect. The order of the routes counts as before.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = list(routes)

    @cached_property
    def _table(self) -> dict[tuple[str, int], list[Entry]]:
        table = defaultdict[tuple[str, int], list[Entry]](list)
        for context in iter_route_contexts(self._routes):
            if _is_in_segments(context):
                template = context.path_format or ""
                entry = Entry(template, context.path_regex, context.original_route, app_of(context))
                for method in context.methods or ():
                    table[method, template.count("/")].append(entry)
        return dict(table)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Look the route up."""
        if scope["type"] != "http" or scope.get("root_path"):
            return Match.NONE, {}
        path: str = scope["path"]
        for entry in self._table.get((scope["method"], path.count("/")), ()):
            if found := entry.pattern.match(path):
                return Match.FULL, {"path_params": found.groupdict(), "route": entry.route, FOUND: entry}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found answer."""
        entry: Entry = scope[FOUND]
        await entry.app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Leave names to the routes themselves."""
        raise NoMatchFound(name, path_params)


def _is_in_segments(context: RouteContext) -> bool:
    """Whether each parameter of the path is one whole segment."""
    convertors = getattr(context, "param_convertors", {}).values()
    return isinstance(context.original_route, APIRoute) and all(type(each) in ONE_SEGMENT for each in convertors)
