"""Routes: declared by the decorators of a `Router`, made when they are needed, found by method and path.

To make one takes FastAPI some milliseconds (its parameters, their validators, its answer), and an application has
hundreds; a process answers requests of a few.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain
from typing import Any, Final

from fastapi import APIRouter
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.endpoints import app_of

FOUND: Final = "lifevault.route"  # in the scope of a request
CONVERTOR: Final = re.compile(r":(\w+)}")
ONE_SEGMENT: Final = frozenset(("int", "str", "uuid"))


def path_of(scope: Scope) -> str:
    """The path of a request below the place where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and f"{path}/".startswith(f"{root}/") else path


def operation_id(route: APIRoute) -> str:
    """`tag_function`, such as `vault_create_item`."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def parameters_of(dependant: Dependant) -> list[ModelField]:
    """Every parameter of an endpoint and of what it depends on."""
    own = (dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params)
    below = (parameters_of(each) for each in dependant.dependencies)
    return [*chain(*own, dependant.body_params), *chain.from_iterable(below)]


class DeclaredRoute(BaseRoute):
    """What FastAPI needs to know to make a route, and the route itself once something asks for it."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, methods: Iterable[str] | None, **options: Any
    ) -> None:
        self.path = path
        self.endpoint = endpoint
        self.methods = {method.upper() for method in methods or ("GET",)}
        self.start, _, rest = path.partition("{")
        self.end = rest.rpartition("}")[2]
        self._options = options

    @cached_property
    def made(self) -> APIRoute:
        """The route as FastAPI makes it. What checks its parameters is built with it: models put that off."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)  # as FastAPI does: a parameter's alias
            route = APIRoute(self.path, self.endpoint, methods=self.methods, **self._options)
            for field in parameters_of(route.dependant):
                field.validate(None)
        return route

    @cached_property
    def app(self) -> ASGIApp:
        """What answers its requests."""
        return app_of(self.made)

    @cached_property
    def path_format(self) -> str:
        """The path as the OpenAPI document writes it."""
        return CONVERTOR.sub("}", self.path)

    @property
    def is_in_segments(self) -> bool:
        """Whether each parameter of the path is one whole segment."""
        return ONE_SEGMENT.issuperset(CONVERTOR.findall(self.path))

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], str, dict[str, Any]]:
        return compile_path(self.path)

    def below(self, router: "Router") -> "DeclaredRoute":
        """The same as a part of another router."""
        own = self._options
        options = {
            **own,
            "tags": [*router.tags, *own["tags"]],
            "dependencies": [*router.dependencies, *own["dependencies"]],
            "include_in_schema": own["include_in_schema"] and router.include_in_schema,
            "dependency_overrides_provider": router.dependency_overrides_provider,
        }
        return DeclaredRoute(router.prefix + self.path, self.endpoint, methods=self.methods, **options)

    def parameters(self, path: str) -> dict[str, str] | None:
        """The parameters in a path as they were sent; None if it is not one of this route."""
        if path.startswith(self.start) and path.endswith(self.end):
            found = self._compiled[0].match(path)
            return found.groupdict() if found else None
        return None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's own routes do."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = self.parameters(path_of(scope))
        if found is None:
            return Match.NONE, {}
        values = {name: self._compiled[2][name].convert(value) for name, value in found.items()}
        path_params = {**scope.get("path_params", {}), **values}
        match = Match.FULL if scope["method"] in self.methods else Match.PARTIAL
        return match, {"endpoint": self.endpoint, "path_params": path_params}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises `HTTPException` (405)."""
        if scope["method"] not in self.methods:
            raise HTTPException(405)
        scope["route"] = self.made
        await self.app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Leave names to the route itself."""
        return self.made.url_path_for(name, **path_params)


class Router(APIRouter):
    """FastAPI's router, whose routes are not made before they are needed, and then once.

    Those of a router that it includes become its own, with its prefix, tags and dependencies.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            route_class=DeclaredRoute,  # type: ignore[arg-type]
            generate_unique_id_function=operation_id,
            **options,
        )

    def include_router(self, router: APIRouter) -> None:  # type: ignore[override]
        """Take over the routes of another one."""
        for route in router.routes:
            if isinstance(route, DeclaredRoute):
                self.routes.append(route.below(self))
            elif isinstance(route, APIWebSocketRoute):
                self.add_api_websocket_route(route.path, route.endpoint, route.name)
            else:  # Starlette's own, which have whole paths
                self.routes.append(route)


class RouteTable:
    """Finds a route by its method and the number of slashes in its path, then by its pattern.

    FastAPI tries one route after another. It still does so for what is not found here, and answers 404, 405 or a
    redirect. The order of the routes counts as before.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = defaultdict[tuple[str, int], list[DeclaredRoute]](list)
        for route in routes:
            if isinstance(route, DeclaredRoute) and route.is_in_segments:
                for method in route.methods:
                    self._routes[method, route.path.count("/")].append(route)

    def find(self, method: str, path: str) -> tuple[DeclaredRoute, dict[str, str]] | None:
        """The route of a request, with the parameters in its path."""
        for route in self._routes.get((method, path.count("/")), ()):
            found = route.parameters(path)
            if found is not None:
                return route, found
        return None
