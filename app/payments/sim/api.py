"""The door to the API: who may call, idempotency keys, faults, and errors as the wire has them."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import random
import re
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.payments.sim import resources  # noqa: F401  importing them registers their calls
from app.payments.sim.clock import Clock
from app.payments.sim.core.errors import (
    Broken,
    Down,
    Invalid,
    KeyInUse,
    KeyReused,
    RateLimited,
    SimError,
    Unauthorized,
)
from app.payments.sim.core.events import API_VERSION, new_request_id
from app.payments.sim.core.perform import perform
from app.payments.sim.core.store import Store
from app.payments.sim.core.wire import Params, parse_form
from app.payments.sim.deliveries import Deliveries
from app.payments.sim.resources.events import clock_of

KEPT_SECONDS: Final = 86_400
"""How long an answer is kept for its idempotency key (docs.stripe.com/api/idempotent_requests)."""
LONGEST_KEY: Final = 255
LARGEST_BODY: Final = 1_048_576
ADVANCE: Final = re.compile(r"/v1/test_helpers/test_clocks(?:/[A-Za-z0-9_]+/advance)?")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer."""

    status: int
    body: bytes
    replayed: bool = False


class Dropped(Response):
    """An answer that never arrives: the connection is closed in the middle of it."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Promise a body and leave."""
        headers = [(b"content-length", b"1"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Api:
    """Answers the calls of the SDK."""

    def __init__(self, store: Store, clock: Clock, deliveries: Deliveries) -> None:
        self._store = store
        self._clock = clock
        self._deliveries = deliveries
        self._running: set[str] = set()
        self.calls = 0

    async def answer(self, request: Request) -> Response:
        """One call."""
        request_id = new_request_id()
        dropped = False
        try:
            check_key(request, self._store.setup.secret_key)
            body = await read_body(request)
            dropped = self._decide_faults()
            reply = await self._answer(request, body, request_id)
        except SimError as error:
            reply = Reply(error.status, orjson.dumps(error.body()))
        except Exception:
            log.exception("a call failed")
            reply = Reply(500, orjson.dumps(Broken("The simulator failed; see its log.").body()))
        if request.method != "GET":
            self._clock.catch_up()
        return Dropped() if dropped else _response(reply, request_id, request.headers.get("idempotency-key"))

    def _decide_faults(self) -> bool:
        """Fail as it was switched on; returns whether the answer gets lost."""
        setup = self._store.setup
        if setup.down:
            raise Down("The simulator was told to be down.")
        if not (setup.rate_limit or setup.fail_answers or setup.drop_answers):
            return False
        self.calls += 1
        chance = random.Random(f"{setup.seed}:call:{self.calls}")  # noqa: S311  repeatable on purpose
        limited, failed, dropped = (
            chance.random() < odds for odds in (setup.rate_limit, setup.fail_answers, setup.drop_answers)
        )
        if limited:
            raise RateLimited("Request rate limit exceeded.")
        if failed:
            raise Broken("The simulator was told to fail.")
        return dropped

    async def _answer(self, request: Request, body: str, request_id: str) -> Reply:
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is None:
            await self._linger()
            return await self._execute(request, body, request_id, None, "")
        if len(key) > LONGEST_KEY:
            raise Invalid(f"Idempotency keys have at most {LONGEST_KEY} characters.")
        fingerprint = hashlib.sha256(f"{request.method} {request.url.path}\n{_canonical(body)}".encode()).hexdigest()
        known = self._known(key, fingerprint)
        if known is not None:
            return known
        if key in self._running:
            raise KeyInUse("There is another request in progress with this idempotency key.")
        self._running.add(key)
        try:
            await self._linger()
            return await self._execute(request, body, request_id, key, fingerprint)
        finally:
            self._running.discard(key)

    async def _linger(self) -> None:
        if delay := self._store.setup.answer_delay_seconds:
            await asyncio.sleep(delay)

    def _known(self, key: str, fingerprint: str) -> Reply | None:
        query = "SELECT request, status, body FROM replies WHERE key = ? AND at > ?"
        row = self._store.db.execute(query, (key, time.time() - KEPT_SECONDS)).fetchone()
        if row is None:
            return None
        if row[0] != fingerprint:
            raise KeyReused(
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
            )
        return Reply(row[1], row[2], replayed=True)

    async def _execute(self, request: Request, body: str, request_id: str, key: str | None, fingerprint: str) -> Reply:
        values = parse_form(body if request.method == "POST" else request.url.query)
        path = request.url.path
        if request.method == "POST" and ADVANCE.fullmatch(path):
            return await self._advance(Params(values))
        with self._store.transaction(request_id=request_id, key=key) as books:
            try:
                reply = Reply(200, orjson.dumps(perform(books, request.method, path, values)))
                is_saved = True
            except SimError as error:
                if not error.keeps:
                    books.discard()
                reply, is_saved = Reply(error.status, orjson.dumps(error.body())), error.is_saved
            if key is not None and is_saved:
                books.db.execute(
                    "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?)",
                    (key, fingerprint, reply.status, reply.body, time.time()),
                )
        self._deliveries.wake()
        return reply

    async def _advance(self, params: Params) -> Reply:
        """Move the clock in the words of the API; a new test clock is the same clock, moved to its time."""
        frozen = params.integer("frozen_time", minimum=0)
        if frozen is None:
            raise Invalid("Missing required param: frozen_time.", code="parameter_missing", param="frozen_time")
        params.accept("name", "expand")
        params.finish()
        await self._clock.advance(max(frozen, self._clock.now))
        with self._store.transaction() as books:
            return Reply(200, orjson.dumps(clock_of(books)))


def check_key(request: Request, secret_key: str) -> None:
    """Let in who has the key, as a bearer token or as the name in basic authentication. Raises `Unauthorized`."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("latin-1").partition(":")[0]
        except (binascii.Error, ValueError):
            given = ""
    if not given:
        raise Unauthorized("You did not provide an API key: send it as a bearer token.")
    if not hmac.compare_digest(given.encode(), secret_key.encode()):
        raise Unauthorized("Invalid API Key provided.")


def _canonical(body: str) -> str:
    """The same for the same parameters, however they are escaped and ordered."""
    return repr(sorted(parse_qsl(body, keep_blank_values=True)))


async def read_body(request: Request) -> str:
    """The body as text. Raises `Invalid` if it is too large or not UTF-8."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Invalid("The body is too large.")
        parts.append(part)
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8.") from None


def _response(reply: Reply, request_id: str, key: str | None) -> Response:
    headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION, "Cache-Control": "no-store"}
    if key is not None and key.isascii() and key.isprintable():
        headers["Idempotency-Key"] = key
    if reply.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(reply.body, reply.status, headers, media_type="application/json")
