"""Rooms: routers of packages, imported by the first request for one of their paths, or all at once.

A server opens all before it says that it is ready, so that nobody waits for it; a function on AWS Lambda opens the
rooms that it is asked for. While a room is imported, in a thread, other requests are answered.
"""

import asyncio
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRouter
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from app.api.routes import FOUND, DeclaredRoute, Router, RouteTable, path_of
from app.core.start import without_collection

OPENING: Final = "lifevault.room"  # in the scope of a request

_importing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Room:
    """The router of a module, what its paths start with (one or two segments), and what is put before them."""

    module: str
    starts: tuple[str, ...]
    prefix: str = ""

    def router(self, alongside: Sequence[str] = ()) -> APIRouter:
        """The router. It is imported if it has not been, after the modules that no room works without."""
        with _importing, nullcontext() if self.module in sys.modules else without_collection():
            for name in alongside:
                import_module(name)
            router: APIRouter = import_module(self.module).router
        return router


class Rooms(BaseRoute):
    """Stands before FastAPI's own routes of an application, for all routes of its rooms."""

    def __init__(self, app: FastAPI, rooms: Sequence[Room], alongside: Sequence[str]) -> None:
        self._app = app
        self._alongside = alongside
        self._rooms = rooms
        self._starts = {start: room for room in rooms for start in room.starts}
        self._opened: dict[Room, APIRouter] = {}
        self._table = RouteTable(())

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Look the route up; a room that is not open yet stands for its routes."""
        if scope["type"] == "http" and not scope.get("root_path"):
            found = self._table.find(scope["method"], scope["path"])
            if found is not None:
                route, path_params = found
                return Match.FULL, {"path_params": path_params, FOUND: route}
        room = self._room_of(scope)
        if room is None:
            return Match.NONE, {}
        return self._first_match(room, scope) if room in self._opened else (Match.FULL, {OPENING: room})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found answer, or open the room and look again."""
        room: Room | None = scope.pop(OPENING, None)
        if room is None:
            await scope[FOUND].handle(scope, receive, send)
            return
        self._open(room, await asyncio.to_thread(room.router, self._alongside))
        await self._app.router.app(scope, receive, send)

    def open_all(self) -> list[APIRouter]:
        """Open every room; their routers."""
        routers = [room.router(self._alongside) for room in self._rooms]
        for room, router in zip(self._rooms, routers, strict=True):
            self._open(room, router)
        return routers

    def all_routes(self) -> list[BaseRoute]:
        """Every route of the application as FastAPI makes it, for whoever describes or examines the whole."""
        self.open_all()
        others = [route for route in self._app.router.routes if route is not self]
        return [route.made if isinstance(route, DeclaredRoute) else route for route in self._routes()] + others

    def methods(self, scope: Scope) -> set[str]:
        """Every method that the path of a request has."""
        room = self._room_of(scope)
        routes = self._opened[room].routes if room in self._opened else ()
        matching = [route for route in routes if route.matches(scope)[0] is not Match.NONE]
        return {method for route in matching for method in getattr(route, "methods", None) or ()}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Leave names to the routes themselves."""
        raise NoMatchFound(name, path_params)

    def _room_of(self, scope: Scope) -> Room | None:
        parts = path_of(scope).split("/", 3)
        return self._starts.get("/".join(parts[:3])) or self._starts.get("/".join(parts[:2]))

    def _first_match(self, room: Room, scope: Scope) -> tuple[Match, Scope]:
        """As FastAPI looks through its own routes: the first of this method, else the first of this path."""
        other: tuple[Match, Scope] = Match.NONE, {}
        for route in self._opened[room].routes:
            match, child_scope = route.matches(scope)
            found = match, {**child_scope, FOUND: route}
            if match is Match.FULL:
                return found
            if match is Match.PARTIAL and other[0] is Match.NONE:
                other = found
        return other

    def _open(self, room: Room, router: APIRouter) -> None:
        if room not in self._opened:
            whole = Router(prefix=room.prefix, dependency_overrides_provider=self._app)
            whole.include_router(router)
            self._opened[room] = whole
            self._table = RouteTable(self._routes())

    def _routes(self) -> list[BaseRoute]:
        """In the order of the rooms, whichever was opened first."""
        opened = [self._opened[room].routes for room in self._rooms if room in self._opened]
        return list(chain.from_iterable(opened))
