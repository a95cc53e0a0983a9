"""Requests that have their effect once, however often they are sent: `Idempotency-Key` (IETF draft-ietf-httpapi-07).

A route declares it by `@idempotent` below its `@router.post`. The key is claimed in a transaction of its own. The
answer is kept in the transaction of the effect: both are there, or neither is. A key belongs to one person.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from fastapi import Request
from sqlalchemy import Interval, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.api.deps import SessionDep
from app.api.models import IdempotencyKey
from app.api.problems import MEDIA_TYPE, problems, render_error
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import lookup_digest
from app.core.errors import AppError, BadRequest, Conflict, Unprocessable
from app.core.schemas import ResponseModel
from app.db.runtime import current
from app.db.session import act_for
from app.db.statements import Row, Statement

HEADER: Final = "Idempotency-Key"
RAW_HEADER: Final = HEADER.lower().encode()
REPLAYED: Final = "Idempotent-Replayed"
KEY: Final = re.compile(r'"([!#-~]{1,255})"|([!#-~]{1,255})', re.ASCII)
KEPT_HEADERS: Final = ("Location", "ETag")
NOT_FINAL: Final = (401, 429)
"""Refusals that say nothing about the request itself: the next try may be answered otherwise."""
RETRY_AFTER_SECONDS: Final = "1"
REQUEST: Final = "idempotency_request"
SESSION: Final = "idempotency_session"
CAUSE: Final = "cause"
"""The parameter of an endpoint that gets the id of the request: the same for each repetition."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Any]])


class IdempotencyKeyRequired(BadRequest):
    """This request is made only with an Idempotency-Key, so that it can be repeated safely."""

    title = "The header Idempotency-Key is missing"


class InvalidIdempotencyKey(BadRequest):
    """Not 1 to 255 visible characters of ASCII."""

    title = "The header Idempotency-Key is not valid"


class IdempotencyKeyReused(Unprocessable):
    """The key was used for another request."""

    title = "The Idempotency-Key belongs to another request"


class RequestRunning(Conflict):
    """The first request with this key has not been answered yet."""

    title = "The first request with this Idempotency-Key is still running"


PROBLEMS: Final = (InvalidIdempotencyKey, IdempotencyKeyReused, RequestRunning)

_claim = upsert(IdempotencyKey).values(
    user_id=bindparam("user_id"),
    key=bindparam("key"),
    id=bindparam("id"),
    fingerprint=bindparam("fingerprint"),
    lease_until=func.now() + bindparam("lease", type_=Interval),
)
_LAPSED = (IdempotencyKey.state == "running") & (IdempotencyKey.lease_until <= func.now())
CLAIM: Final = Statement(
    _claim.on_conflict_do_update(
        index_elements=["user_id", "key"],
        set_={"run": IdempotencyKey.run + 1, "lease_until": _claim.excluded.lease_until},
        where=_LAPSED & (IdempotencyKey.fingerprint == _claim.excluded.fingerprint),
    ).returning(IdempotencyKey.id, IdempotencyKey.run)
)
_mine = IdempotencyKey.user_id == bindparam("user_id"), IdempotencyKey.key == bindparam("key")
_columns = IdempotencyKey.id, IdempotencyKey.fingerprint, IdempotencyKey.status, IdempotencyKey.body
KNOWN: Final = Statement(select(*_columns).where(*_mine))


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a request, held by one run at a time."""

    id: UUID
    run: int


def idempotent(*, required: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Let an endpoint honour the header, or demand it. The endpoint takes `principal`.

    An endpoint with a parameter `cause` gets the id that a request has with all its repetitions. Without the header
    nothing is done besides looking for it.
    """

    def declare(function: Endpoint) -> Endpoint:
        signature = inspect.signature(function)
        takes_cause = CAUSE in signature.parameters
        parameters = [each for each in signature.parameters.values() if each.name != CAUSE]
        own = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
            for name, annotation in ((REQUEST, Request), (SESSION, SessionDep))
        ]

        async def endpoint(**arguments: Any) -> Any:
            request: Request = arguments.pop(REQUEST)
            session: AsyncSession = arguments.pop(SESSION)
            for name, value in request.scope["headers"]:
                if name == RAW_HEADER:
                    text = value.decode("latin-1")
                    return await _once(function, arguments, request, session, text, takes_cause=takes_cause)
            if required:
                raise IdempotencyKeyRequired
            return await function(**arguments, **({CAUSE: new_id()} if takes_cause else {}))

        endpoint.__name__, endpoint.__doc__, endpoint.__module__ = function.__name__, function.__doc__, __name__
        described: Any = endpoint
        described.__signature__ = signature.replace(parameters=[*parameters, *own])
        described.idempotency_required = required
        answer: Endpoint = described
        return answer

    return declare


async def _once(
    function: Callable[..., Awaitable[Any]],
    arguments: dict[str, Any],
    request: Request,
    session: AsyncSession,
    text: str,
    *,
    takes_cause: bool,
) -> Any:
    principal: Principal = arguments["principal"]
    claim = await _claimed(session, principal.user_id, text, await _fingerprint(request))
    if isinstance(claim, Response):
        return claim
    await session.commit()
    cause = {CAUSE: claim.id} if takes_cause else {}
    try:
        result = await function(**arguments, **cause)
    except Exception as error:
        await session.rollback()
        act_for(session, principal.actor)
        await _end_badly(session, principal.user_id, claim, request, error)
        await session.commit()
        raise
    await _finish(session, principal.user_id, claim, _answer(request, result, arguments.get("response")))
    return result


async def _claimed(session: AsyncSession, user_id: UUID, text: str, fingerprint: bytes) -> Claim | Response:
    """The claim, or the answer that was given. Raises `InvalidIdempotencyKey` and what `_known` raises."""
    found = KEY.fullmatch(text)
    if found is None:
        raise InvalidIdempotencyKey
    settings = current().settings
    key = lookup_digest(settings.lookup_key_bytes, "idempotency_keys.key", found[1] or found[2])
    mine = {"user_id": user_id, "key": key}
    lease = timedelta(seconds=settings.idempotency_lease_seconds)
    row = await CLAIM.first(session, **mine, id=new_id(), fingerprint=fingerprint, lease=lease)
    if row is not None:
        return Claim(row["id"], row["run"])
    known = await KNOWN.first(session, **mine)
    if known is None:  # purged in this moment
        raise RequestRunning(headers={"Retry-After": RETRY_AFTER_SECONDS})
    return await _known(session, user_id, known, fingerprint)


async def _known(session: AsyncSession, user_id: UUID, row: Row, fingerprint: bytes) -> Response:
    """The answer to the first request. Raises `IdempotencyKeyReused`, `RequestRunning`."""
    if row["fingerprint"] != fingerprint:
        raise IdempotencyKeyReused
    if row["status"] is None:
        raise RequestRunning(headers={"Retry-After": RETRY_AFTER_SECONDS})
    ring = await current().keys.ring(session, user_id, row["body"])
    kept = orjson.loads(ring.open("idempotency_keys", row["id"], "body", row["body"]))
    headers = {**kept["headers"], REPLAYED: "true"}
    return Response(kept["text"] or None, row["status"], headers, kept["media_type"])


async def _fingerprint(request: Request) -> bytes:
    """What is asked for, as a keyed digest: method, path with its values, query, and the body in one order of names."""
    body = await request.body()
    try:
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        canonical = body
    parts = request.method, request.url.path, request.url.query, canonical.decode("latin-1")
    return lookup_digest(current().settings.lookup_key_bytes, "idempotency_keys.fingerprint", "\n".join(parts))


def _answer(request: Request, result: Any, given: Response | None) -> Response:
    """The answer as it will be sent."""
    if isinstance(result, Response):
        return result
    headers = dict(given.headers) if given else {}
    status = (given and given.status_code) or request.scope["route"].status_code or 200
    if result is None:
        return Response(None, status, headers)
    assert isinstance(result, ResponseModel)  # noqa: S101
    headers.pop("content-length", None)
    return Response(result.to_json(), status, headers, "application/json")


async def _finish(session: AsyncSession, user_id: UUID, claim: Claim, answer: Response) -> None:
    """Keep the answer. Raises `RequestRunning` if another run has taken over: then this one must have no effect."""
    kept = {
        "headers": {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers},
        "media_type": answer.headers.get("content-type"),
        "text": bytes(answer.body).decode(),
    }
    ring = await current().keys.ring(session, user_id)
    body = ring.seal("idempotency_keys", claim.id, "body", orjson.dumps(kept))
    done = {"state": "done", "status": answer.status_code, "body": body}
    if not await _change(session, claim, done):
        raise RequestRunning(headers={"Retry-After": RETRY_AFTER_SECONDS})


async def _end_badly(session: AsyncSession, user_id: UUID, claim: Claim, request: Request, error: Exception) -> None:
    """Keep a refusal; after a fault the next repetition goes on at once."""
    if isinstance(error, AppError) and is_final(error):
        await _finish(session, user_id, claim, render_error(request, error))
    else:
        await _change(session, claim, {"lease_until": func.now()})


def is_final(error: AppError) -> bool:
    """Whether a refusal is the answer, and not one that says to try again."""
    return error.status < 500 and error.status not in NOT_FINAL and "Retry-After" not in error.headers


async def _change(session: AsyncSession, claim: Claim, values: Mapping[str, Any]) -> bool:
    mine = IdempotencyKey.id == claim.id, IdempotencyKey.run == claim.run, IdempotencyKey.state == "running"
    changed = update(IdempotencyKey).where(*mine).values(**values).returning(IdempotencyKey.id)
    return await session.scalar(changed) is not None


def document(operation: dict[str, Any], *, required: bool) -> None:
    """Say in OpenAPI that an operation honours or demands the header."""
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"}
    text = "The same key with the same request has its effect once; a repetition gets the first answer. Kept 30 days."
    parameter = {"name": HEADER, "in": "header", "required": required, "description": text, "schema": schema}
    operation.setdefault("parameters", []).append(parameter | {"example": "8e03978e-40d5-43e8-bc93-6894a57f9324"})
    kinds: Iterable[type[AppError]] = (IdempotencyKeyRequired, *PROBLEMS) if required else PROBLEMS
    for status, response in problems(*kinds).items():
        shown = {name: value for name, value in response.items() if name != "model"}
        known = operation["responses"].setdefault(str(status), shown)
        if known is not shown:
            known["content"][MEDIA_TYPE].setdefault("examples", {}).update(shown["content"][MEDIA_TYPE]["examples"])
