"""RFC 9457 problems: how errors are shown, and how routes document them."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.api.faces import PROBLEM, face_of
from app.core.errors import AppError, BadRequest, TooManyRequests, Unauthorized, Unavailable, Unprocessable
from app.core.logging import get_log, where
from app.core.schemas import ResponseModel
from app.core.telemetry import report

MEDIA_TYPE = PROBLEM
RETRY_AFTER_SECONDS = "2"
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}
HEADERS = {
    401: {"WWW-Authenticate": {"description": "How to sign in.", "schema": {"type": "string"}}},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
OUTAGES = (DBAPIError, PoolTimeout, OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)
HTTP_TITLES = {404: ("not-found", "Not found"), 405: ("method-not-allowed", "This method is not offered here")}

log = get_log(__name__)


class FieldProblem(ResponseModel):
    """One reason why a request is not valid; the value itself is never repeated."""

    loc: list[str | int]
    msg: str
    type: str


class Problem(ResponseModel):
    """An error (RFC 9457). `type` is stable and meant for programs, `title` and `detail` for people."""

    type: str
    title: str
    status: int
    detail: str | None = None
    code: str
    request_id: str | None = None
    errors: list[FieldProblem] | None = None


def problems(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may raise these errors; those of every route are added by `app.api.openapi`."""
    by_status: dict[int, list[type[AppError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {status: _documented(kinds) for status, kinds in by_status.items()}


COMMON = (BadRequest, Unprocessable, TooManyRequests, Unavailable)
SIGNED_IN = (Unauthorized,)


def _documented(kinds: list[type[AppError]]) -> dict[str, Any]:
    examples = {
        kind.code(): {
            "summary": kind.title,
            "value": {
                "type": f"/problems/{kind.code()}",
                "title": kind.title,
                "status": kind.status,
                "detail": None,
                "code": kind.code(),
                "request_id": "01a1fbe8-3eef-7d27-809c-9cfaba724faa",
                "errors": None,
            },
        }
        for kind in kinds
    }
    return {
        "model": Problem,
        "description": " · ".join(kind.title for kind in kinds),
        "headers": HEADERS.get(kinds[0].status, {}),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }


def render(
    request: HTTPConnection,
    *,
    status: int,
    code: str,
    title: str,
    detail: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, object] | None = None,
) -> Response:
    """A problem as a response, in the form of the face that was asked."""
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("state", {}).get("request_id"),
        "errors": errors,
        **(extra or {}),
    }
    if face := face_of(request.scope["path"]):
        return Response(orjson.dumps(face.shape(body)), face.status(status), dict(headers or {}), "application/json")
    return Response(orjson.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


def render_error(request: HTTPConnection, error: AppError) -> Response:
    """An error of ours as a response."""
    headers = dict(error.headers)
    if isinstance(error, Unauthorized):
        headers.setdefault("WWW-Authenticate", "Bearer")
    return render(
        request,
        status=error.status,
        code=error.code(),
        title=error.title,
        detail=error.detail,
        headers=headers,
        extra=error.extra,
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Show every error as a problem; nothing that a client sent is repeated."""

    async def on_app_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, AppError)  # noqa: S101
        return render_error(request, error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return _render_invalid(request, error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        return _render_http(request, error)

    async def on_database(request: Request, error: Exception) -> Response:
        outage = outage_of(error)
        return render_error(request, outage) if isinstance(outage, AppError) else render_unexpected(request, error)

    app.add_exception_handler(AppError, on_app_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    for outage in OUTAGES:
        app.add_exception_handler(outage, on_database)


def note_unexpected(error: Exception) -> None:
    """Log a fault of ours by its class and place, without its message, which may hold values."""
    log.error("unexpected error", error=type(error).__name__, where=where(error))
    report(error)


def render_unexpected(request: Request, error: Exception) -> Response:
    """A fault of ours, as a response."""
    note_unexpected(error)
    return render(request, status=500, code="internal-error", title=AppError.title)


def outage_of(error: Exception) -> Exception:
    """What one of `OUTAGES` means for a client: `Unavailable`, or the error itself if a statement was refused."""
    if isinstance(error, DBAPIError) and not is_outage(error):
        return error
    log.warning("database unavailable", error=type(error).__name__)
    return Unavailable(headers={"Retry-After": RETRY_AFTER_SECONDS})


def is_outage(error: DBAPIError) -> bool:
    """Whether the database could not be reached, as against refusing a statement."""
    cause = error.orig.__cause__ if error.orig and error.orig.__cause__ else error.orig
    return error.connection_invalidated or isinstance(
        cause,
        OSError
        | TimeoutError
        | asyncpg.PostgresConnectionError
        | asyncpg.InterfaceError
        | asyncpg.CannotConnectNowError
        | asyncpg.AdminShutdownError
        | asyncpg.QueryCanceledError
        | asyncpg.TooManyConnectionsError,
    )


def _render_invalid(request: Request, error: RequestValidationError) -> Response:
    problems = error.errors()
    if any(item["type"] == "json_invalid" for item in problems):
        return render(request, status=400, code="invalid-json", title="The body is not valid JSON")
    errors = [{"loc": _ascii(item["loc"]), "msg": _safe(item), "type": item["type"]} for item in problems]
    return render(request, status=422, code="unprocessable", title=Unprocessable.title, errors=errors)


def _ascii(loc: tuple[str | int, ...]) -> list[str | int]:
    """Where the problem is; names of unknown fields come from the client, so they are cut and made plain."""
    return [part if isinstance(part, int) else part.encode("ascii", "replace").decode()[:64] for part in loc]


def _safe(item: Mapping[str, Any]) -> str:
    return str(item["msg"]).encode("ascii", "replace").decode()[:200]


def _render_http(request: Request, error: HTTPException) -> Response:
    if isinstance(error.__cause__, AppError):  # raised while the body was read
        return render_error(request, error.__cause__)
    code, title = HTTP_TITLES.get(error.status_code, ("bad-request", BadRequest.title))
    headers = {"Allow": _allowed(request, error)} if error.status_code == 405 else error.headers
    return render(request, status=error.status_code, code=code, title=title, headers=headers)


def _allowed(request: Request, error: HTTPException) -> str:
    """Every method of the path (RFC 9110 §15.5.6); the router names only those of the first route that has it."""
    rooms = getattr(request.app.state, "rooms", None)
    methods = rooms.methods(request.scope) if rooms else ()
    return ", ".join(sorted(methods)) or (error.headers or {}).get("Allow", "")
