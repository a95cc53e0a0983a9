"""What only a simulator can do, under `/_sim`: move time, switch faults on, open disputes, finish checkouts.

Bodies and answers are JSON. The same key as for the API is needed, and the caller must be on this machine.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.payments.sim.api import Api, check_key, read_body
from app.payments.sim.clock import Clock
from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc, Invalid, Missing, SimError
from app.payments.sim.core.setup import FAULTS, RULES, WEBHOOK
from app.payments.sim.core.store import Store
from app.payments.sim.deliveries import Deliveries
from app.payments.sim.engine.cards import MESSAGES, card_by_name
from app.payments.sim.engine.disputing import REASONS, open_dispute, settle
from app.payments.sim.engine.paying_out import plan_daily
from app.payments.sim.resources.completing import Challenge, Payer, Undone, apply_code, complete, record_decline
from app.payments.sim.resources.intents import finish_challenge

LOOPBACK: Final = ("127.0.0.1", "::1")
MOST_LISTED: Final = 500
Work = Callable[[Request, Doc], Awaitable[Doc]]


class Control:
    """The control endpoints of one simulator."""

    def __init__(self, store: Store, clock: Clock, deliveries: Deliveries, api: Api) -> None:
        self._store = store
        self._clock = clock
        self._deliveries = deliveries
        self._api = api

    def routes(self) -> list[Route]:
        """All of them."""
        table: list[tuple[str, str, Work]] = [
            ("GET", "/_sim/clock", self._read_clock),
            ("POST", "/_sim/clock", self._move_clock),
            ("GET", "/_sim/faults", self._read_faults),
            ("POST", "/_sim/faults", self._set_faults),
            ("DELETE", "/_sim/faults", self._clear_faults),
            ("GET", "/_sim/rules", self._read_rules),
            ("POST", "/_sim/rules", self._set_rules),
            ("POST", "/_sim/webhook", self._set_webhook),
            ("GET", "/_sim/deliveries", self._list_deliveries),
            ("POST", "/_sim/deliveries/flush", self._flush),
            ("POST", "/_sim/deliveries/{event}/resend", self._resend),
            ("POST", "/_sim/disputes", self._open_dispute),
            ("POST", "/_sim/disputes/{id}/settle", self._settle_dispute),
            ("POST", "/_sim/customers/{id}/decline_next", self._decline_next),
            ("POST", "/_sim/checkout/{id}/complete", self._complete_checkout),
            ("POST", "/_sim/intents/{id}/authenticate", self._authenticate),
            ("POST", "/_sim/reset", self._reset),
        ]
        return [Route(path, self._guarded(work), methods=[method]) for method, path, work in table]

    def _guarded(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                if request.client is not None and request.client.host not in LOOPBACK:
                    raise Missing("Not here.")
                check_key(request, self._store.setup.secret_key)
                return JSONResponse(await work(request, _json(await read_body(request))))
            except SimError as error:
                return JSONResponse(error.body(), error.status)

        return answer

    async def _read_clock(self, _request: Request, _body: Doc) -> Doc:
        return {"now": self._clock.now, "offset": self._store.offset}

    async def _move_clock(self, _request: Request, body: Doc) -> Doc:
        seconds, to = body.get("advance_seconds"), body.get("to")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            to = self._clock.now + int(seconds)
        if not isinstance(to, int) or isinstance(to, bool):
            raise Invalid("Give advance_seconds or to.", param="advance_seconds")
        await self._clock.advance(to)
        return {"now": self._clock.now, "offset": self._store.offset}

    async def _read_faults(self, _request: Request, _body: Doc) -> Doc:
        return self._shown(FAULTS)

    async def _set_faults(self, _request: Request, body: Doc) -> Doc:
        self._api.calls = 0
        return self._change(body, FAULTS)

    async def _clear_faults(self, _request: Request, _body: Doc) -> Doc:
        self._api.calls = 0
        self._store.forget_setup(*FAULTS)
        return self._shown(FAULTS)

    async def _read_rules(self, _request: Request, _body: Doc) -> Doc:
        return self._shown(RULES)

    async def _set_rules(self, _request: Request, body: Doc) -> Doc:
        changed = self._change(body, RULES)
        with self._store.transaction() as books:
            plan_daily(books)
        return changed

    async def _set_webhook(self, _request: Request, body: Doc) -> Doc:
        names = {"url": "webhook_url", "secret": "webhook_secret"}
        self._change({names.get(name, name): value for name, value in body.items()}, WEBHOOK)
        self._deliveries.wake()
        return {"url": self._store.setup.webhook_url}

    async def _list_deliveries(self, request: Request, _body: Doc) -> Doc:
        limit = request.query_params.get("limit", "100")
        shown = min(MOST_LISTED, int(limit)) if limit.isdecimal() else 100
        return {**self._deliveries.counts(), "deliveries": self._deliveries.listed(shown)}

    async def _flush(self, _request: Request, body: Doc) -> Doc:
        seconds = body.get("seconds", 10)
        if not isinstance(seconds, int | float) or not 0 <= seconds <= 120:
            raise Invalid("seconds goes from 0 to 120.", param="seconds")
        return await self._deliveries.flush(seconds)

    async def _resend(self, request: Request, _body: Doc) -> Doc:
        event = request.path_params["event"]
        with self._store.transaction() as books:
            books.get("event", event)
        self._deliveries.resend(event)
        return {"event": event}

    async def _open_dispute(self, _request: Request, body: Doc) -> Doc:
        reason, amount = body.get("reason", "fraudulent"), body.get("amount")
        if reason not in REASONS:
            raise Invalid(f"reason must be one of {', '.join(REASONS)}.", param="reason")
        if amount is not None and (not isinstance(amount, int) or amount < 1):
            raise Invalid("amount must be a positive number.", param="amount")
        with self._committing() as books:
            charge = books.get("charge", _text(body, "charge"), "charge")
            is_inquiry = body.get("inquiry") is True
            return _shown(open_dispute(books, charge, reason, amount, is_inquiry=is_inquiry))

    async def _settle_dispute(self, request: Request, body: Doc) -> Doc:
        outcome = body.get("outcome")
        if outcome not in ("won", "lost"):
            raise Invalid("outcome is won or lost.", param="outcome")
        with self._committing() as books:
            dispute = books.get("dispute", request.path_params["id"])
            settle(books, dispute, won=outcome == "won")
            return _shown(dispute)

    async def _decline_next(self, request: Request, body: Doc) -> Doc:
        code, times = body.get("code", "generic_decline"), body.get("times", 1)
        if code not in MESSAGES:
            raise Invalid(f"code must be one of {', '.join(MESSAGES)}.", param="code")
        if not isinstance(times, int) or not 0 <= times <= 100:
            raise Invalid("times goes from 0 to 100.", param="times")
        with self._committing() as books:
            customer = books.get("customer", request.path_params["id"])
            customer["_"]["declines"] = [code] * times
            books.keep(customer)
            return {"customer": customer["id"], "declines": customer["_"]["declines"]}

    async def _complete_checkout(self, request: Request, body: Doc) -> Doc:
        name = body.get("payment_method", "pm_card_visa")
        card = None if name is None else card_by_name(str(name))
        if name is not None and card is None:
            raise Invalid("There is no such test card.", param="payment_method")
        answer = body.get("authenticate", "succeed")
        payer = Payer(card, email=body.get("email"), name=body.get("name"))
        return pay_checkout(
            self._store, request.path_params["id"], payer, code=body.get("promotion_code"), answer=answer
        )

    async def _authenticate(self, request: Request, body: Doc) -> Doc:
        identifier = request.path_params["id"]
        kind = "setup_intent" if identifier.startswith("seti_") else "payment_intent"
        with self._committing() as books:
            intent = books.get(kind, identifier)
            finish_challenge(books, intent, passed=body.get("outcome", "succeed") == "succeed")
            return _shown(intent)

    async def _reset(self, _request: Request, _body: Doc) -> Doc:
        await self._deliveries.abandon()
        self._store.reset()
        self._api.calls = 0
        return {"reset": True}

    def _change(self, body: Doc, names: tuple[str, ...]) -> Doc:
        unknown = [name for name in body if name not in names]
        if unknown:
            raise Invalid(f"Known are {', '.join(names)}.", code="parameter_unknown")
        try:
            self._store.change_setup(body)
        except ValueError as error:
            raise Invalid(f"{error}.") from None
        return self._shown(names)

    def _shown(self, names: tuple[str, ...]) -> Doc:
        return {name: getattr(self._store.setup, name) for name in names}

    def _committing(self) -> "_Committing":
        return _Committing(self._store, self._clock)


class _Committing:
    """A transaction after which what is due is done and told."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._transaction = store.transaction()
        self._clock = clock

    def __enter__(self) -> Books:
        return self._transaction.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._transaction.__exit__(*error)
        self._clock.catch_up()


def pay_checkout(store: Store, identifier: str, payer: Payer, *, code: Any = None, answer: Any = "succeed") -> Doc:
    """Complete a checkout; a card that asks for 3-D Secure is answered with `succeed` or `fail`.

    Raises `Missing`, `Refused`, `Invalid` and `Declined`, the last with the failed payment on the books.
    """
    declined: Undone | None = None
    with store.transaction() as books:
        try:
            return _complete(books, identifier, payer, code, answer)
        except Undone as undone:
            books.discard()
            declined = undone
            record_decline(books, books.get("checkout.session", identifier), payer, undone.error)
    raise declined.error


def _complete(books: Books, identifier: str, payer: Payer, code: Any, answer: Any) -> Doc:
    session = books.get("checkout.session", identifier)
    if isinstance(code, str):
        apply_code(books, session, code)
    try:
        complete(books, session, payer)
    except Challenge:
        books.discard()
        if answer != "succeed":
            raise Invalid("We are unable to authenticate your payment method.", code="authentication_failed") from None
        session = books.get("checkout.session", identifier)
        if isinstance(code, str):
            apply_code(books, session, code)
        proven = Payer(payer.card, payer.email, payer.name, is_proven=True)
        complete(books, session, proven)
    return _shown(session)


def _shown(doc: Doc) -> Doc:
    return {name: value for name, value in doc.items() if name != "_"}


def _json(body: str) -> Doc:
    try:
        value = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise Invalid("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Invalid("The body must be an object.")
    return value


def _text(body: Doc, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value
