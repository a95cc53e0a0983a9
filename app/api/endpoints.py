"""Endpoints that take parameters or JSON and answer with a model: what FastAPI finds out on each request, kept.

FastAPI declares, documents and validates them as any other; the plan here only runs what it declared. An endpoint with
anything else in it (forms, files, cookies, streams, threads, background tasks) is left to FastAPI.
"""

import inspect
import json
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.params import Body, Form
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic_core import PydanticUndefined
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.parameters import Errors, Parameters, Values
from app.api.replicas import REPEATABLE, may_ask_again
from app.core.schemas import ResponseModel


@dataclass(slots=True)
class Call:
    """One request on its way through a plan: its body, and what has been made for it so far."""

    request: Request
    stack: AsyncExitStack
    body: Any = PydanticUndefined
    response: Response | None = None
    made: dict[Any, Any] = field(default_factory=dict)
    errors: Errors = field(default_factory=list)


def app_of(route: APIRoute) -> ASGIApp:
    """What answers the requests of a route: a plan if it is plain enough, otherwise FastAPI."""
    dependant = route.dependant
    by_fastapi: ASGIApp = route.app
    if not (_is_plain(dependant) and inspect.iscoroutinefunction(dependant.call) and _answers_with_model(route)):
        return by_fastapi
    endpoint = Endpoint(route)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["app"].dependency_overrides:
            await by_fastapi(scope, receive, send)
            return
        response = await endpoint.answer(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


class Endpoint:
    """A function that answers with a `ResponseModel`, with a response of its own, or with nothing."""

    def __init__(self, route: APIRoute) -> None:
        self._plan = Plan(route.dependant)
        self._takes_body = bool(route.dependant.body_params)
        self._model: type[ResponseModel] | None = route.response_model
        self._status: int = route.status_code or 200

    async def answer(self, request: Request) -> Response:
        """The response, when everything that the endpoint depends on has ended: its transaction is committed."""
        request.scope[REPEATABLE] = True
        try:
            return await self._answer(request)
        except Exception as error:
            if not may_ask_again(request, error):
                raise
        return await self._answer(request)

    async def _answer(self, request: Request) -> Response:
        async with AsyncExitStack() as stack:
            call = Call(request, stack)
            if self._takes_body:
                call.body = await _body_of(request)
            values = await self._plan.values(call)
            if call.errors:
                raise RequestValidationError(call.errors)
            result = await self._plan.function(**values)
        return result if isinstance(result, Response) else self._response(result, call.response)

    def _response(self, result: Any, given: Response | None) -> Response:
        status = (given and given.status_code) or self._status
        if self._model is None:
            response = Response(status_code=status)
        else:
            shown = result if isinstance(result, self._model) else self._model.model_validate(result)
            response = Response(shown.to_json(), status, media_type="application/json")
        if given:
            response.raw_headers.extend(given.raw_headers)
        return response


class Plan:
    """How the arguments of one function are found: those of its dependencies first, then its own parameters."""

    def __init__(self, dependant: Dependant) -> None:
        assert dependant.call  # noqa: S101
        self.function: Callable[..., Any] = dependant.call
        self._needs = [Need(each) for each in dependant.dependencies]
        self._path = Parameters(dependant.path_params)
        self._query = Parameters(dependant.query_params)
        self._header = Parameters(dependant.header_params)
        self._body = dependant.body_params
        self._request_names = [
            name for name in (dependant.request_param_name, dependant.http_connection_param_name) if name
        ]
        self._response_name = dependant.response_param_name
        self._scopes_name = dependant.security_scopes_param_name
        self.scopes = list(dict.fromkeys([*(dependant.parent_oauth_scopes or []), *(dependant.own_oauth_scopes or [])]))
        self.asks_for_scopes: bool = bool(self._scopes_name) or any(each.asks_for_scopes for each in self._needs)

    async def values(self, call: Call) -> Values:
        """The arguments; what is wrong with the request is added to the errors of the call."""
        values: Values = {}
        for need in self._needs:
            await need.meet(call, values)
        request = call.request
        if self._path:
            self._path.read(request.path_params, values, call.errors)
        if self._query:
            self._query.read(request.query_params, values, call.errors)
        if self._header:
            self._header.read(request.headers, values, call.errors)
        if self._body:
            found, wrong = await request_body_to_args(self._body, call.body, embed_body_fields=False)
            values |= found
            call.errors += wrong
        for name in self._request_names:
            values[name] = request
        if self._response_name:
            values[self._response_name] = call.response = call.response or _blank()
        if self._scopes_name:
            values[self._scopes_name] = SecurityScopes(self.scopes)
        return values


class Need:
    """A dependency: made once for a request, with the scopes that it is needed for."""

    def __init__(self, dependant: Dependant) -> None:
        self._plan = Plan(dependant)
        self._name = dependant.name
        scopes = tuple(sorted(self._plan.scopes)) if self._plan.asks_for_scopes else ()
        self._key: Any = (dependant.call, scopes, dependant.scope) if dependant.use_cache else self
        self.asks_for_scopes = self._plan.asks_for_scopes
        function = self._plan.function
        self._opened = asynccontextmanager(function) if inspect.isasyncgenfunction(function) else None

    async def meet(self, call: Call, values: Values) -> None:
        """Put it among the arguments, unless the request is wrong."""
        if self._key not in call.made:
            before = len(call.errors)
            given = await self._plan.values(call)
            if len(call.errors) > before:
                return
            call.made[self._key] = await self._make(call, given)
        if self._name:
            values[self._name] = call.made[self._key]

    async def _make(self, call: Call, given: Values) -> Any:
        if self._opened:
            return await call.stack.enter_async_context(self._opened(**given))
        return await self._plan.function(**given)


def _blank() -> Response:
    """For headers and a status that the endpoint sets."""
    response = Response()
    del response.headers["content-length"]
    response.status_code = 0
    return response


async def _body_of(request: Request) -> Any:
    """JSON, or bytes for the validation to refuse. It was checked on the way in (see `app.api.limits`)."""
    try:
        body = await request.body()
    except ClientDisconnect:
        raise HTTPException(400) from None
    if not body:
        return PydanticUndefined
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    return json.loads(body) if is_json else body


def _is_plain(dependant: Dependant) -> bool:
    others = (
        dependant.cookie_params,
        dependant.websocket_param_name,
        dependant.background_tasks_param_name,
        dependant.concurrency,
        dependant.body_params[1:],
    )
    whole_bodies = all(
        isinstance(each.field_info, Body) and not _is_in_parts(each.field_info) for each in dependant.body_params
    )
    return (
        whole_bodies and not any(others) and all(_is_plain(each) and _is_async(each) for each in dependant.dependencies)
    )


def _is_in_parts(body: Body) -> bool:
    return isinstance(body, Form) or bool(body.embed)


def _is_async(dependant: Dependant) -> bool:
    call: Any = dependant.call
    if inspect.isasyncgenfunction(call):
        return dependant.scope == "function"
    method = call if inspect.isroutine(call) else type(call).__call__  # an object such as OAuth2PasswordBearer
    return inspect.iscoroutinefunction(method)


def _answers_with_model(route: APIRoute) -> bool:
    model: Any = route.response_model
    if model is None:
        return bool(route.status_code == 204)
    is_json = isinstance(route.response_class, DefaultPlaceholder)
    return is_json and isinstance(model, type) and bool(issubclass(model, ResponseModel))
