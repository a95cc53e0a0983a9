"""The page where a person pays, the one of 3-D Secure within it, and the one after it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.payments.sim.clock import Clock
from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Declined, Doc, SimError
from app.payments.sim.core.store import Store
from app.payments.sim.engine.cards import BY_NAME
from app.payments.sim.pages.shell import chosen_card, go_to, message, page, read_form
from app.payments.sim.pages.words import date_text, money, rhythm_text, sums_of
from app.payments.sim.resources.completing import (
    Challenge,
    Payer,
    Undone,
    apply_code,
    complete,
    record_decline,
    tallied,
)

HEADINGS = {"subscription": "Subscribe", "payment": "Pay", "setup": "Save a card"}
LONGEST_CODE = 50


class CheckoutPages:
    """Pages below `/pay/{checkout}`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """What is bought and with which card."""
        with self._store.transaction() as books:
            session = books.get("checkout.session", request.path_params["id"])
            return self._over(request, session) or self._form(request, books, session)

    async def submit(self, request: Request) -> Response:
        """A promotion code, or the payment."""
        form = await read_form(request, self._store)
        try:
            if form.get("action") == "apply":
                self._apply(request.path_params["id"], form.get("code", "")[:LONGEST_CODE])
                return go_to(request.url.path)
            payer = Payer(chosen_card(form), email=form.get("email", "")[:254] or None)
            return self._pay(request, payer)
        except SimError as error:
            return self._again(request, error, form)

    async def show_challenge(self, request: Request) -> Response:
        """The bank asks."""
        with self._store.transaction() as books:
            session = books.get("checkout.session", request.path_params["id"])
            attempt = session["_"].get("attempt")
            over = self._over(request, session)
            if over is not None or attempt is None:
                return over or go_to(self._page_of(session))
            what = money(session["amount_total"], session["currency"]) if session["amount_total"] else "the use"
            last4 = BY_NAME[attempt["card"]].last4
            leads_to = session["success_url"]
            return page(request, self._store, "challenge.html", what=what, last4=last4, leads_to=leads_to)

    async def answer_challenge(self, request: Request) -> Response:
        """What the bank hears."""
        form = await read_form(request, self._store)
        with self._store.transaction() as books:
            session = books.get("checkout.session", request.path_params["id"])
            attempt = session["_"].pop("attempt", None)
            books.keep(session)
            back = self._page_of(session)
        if attempt is None:
            return go_to(back)
        if form.get("outcome") != "succeed":
            error = Declined("The bank did not confirm that it was you. Try again or choose another card.")
            return self._again(request, error, {"card": attempt["card"], "email": attempt["email"] or ""})
        payer = Payer(BY_NAME[attempt["card"]], email=attempt["email"], is_proven=True)
        try:
            return self._pay(request, payer)
        except SimError as error:
            return self._again(request, error, {"card": attempt["card"]})

    async def done(self, request: Request) -> Response:
        """The page after a payment whose buyer has no page of their own for it."""
        with self._store.transaction() as books:
            session = books.get("checkout.session", request.path_params["id"])
        if session["status"] != "complete":
            return go_to(self._page_of(session))
        return message(request, self._store, "Done", "Thank you. You can close this page.")

    def _apply(self, identifier: str, code: str) -> None:
        with self._store.transaction() as books:
            apply_code(books, books.get("checkout.session", identifier), code)

    def _pay(self, request: Request, payer: Payer) -> Response:
        identifier = request.path_params["id"]
        declined: Undone | None = None
        with self._store.transaction() as books:
            session = books.get("checkout.session", identifier)
            try:
                complete(books, session, payer)
                target = self._after(session)
            except Challenge:
                books.discard()
                session = books.get("checkout.session", identifier)
                session["_"]["attempt"] = {"card": payer.card and payer.card.name, "email": payer.email}
                books.keep(session)
                target = f"{self._page_of(session)}/verify"
            except Undone as undone:
                books.discard()
                declined = undone
                record_decline(books, books.get("checkout.session", identifier), payer, undone.error)
        self._clock.catch_up()
        if declined is not None:
            raise declined.error
        return go_to(target)

    def _after(self, session: Doc) -> str:
        url: str | None = session["success_url"]
        done = f"{self._page_of(session)}/done"
        return done if url is None else url.replace("{CHECKOUT_SESSION_ID}", session["id"])

    def _page_of(self, session: Doc) -> str:
        return f"/pay/{session['id']}"

    def _over(self, request: Request, session: Doc) -> Response | None:
        if session["status"] == "complete":
            return message(
                request, self._store, "This is paid", "There is nothing left to do.", link=self._after(session)
            )
        if session["status"] == "expired":
            text = "This page has expired. Go back and begin again."
            return message(request, self._store, "Too late", text, link=session["cancel_url"])
        return None

    def _again(self, request: Request, error: SimError, form: dict[str, str]) -> Response:
        """The page once more, with what went wrong."""
        with self._store.transaction() as books:
            session = books.get("checkout.session", request.path_params["id"])
            over = self._over(request, session)
            return over or self._form(request, books, session, error=error.message, form=form, status=402)

    def _form(
        self,
        request: Request,
        books: Books,
        session: Doc,
        *,
        error: str | None = None,
        form: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        given = form or {}
        action = self._page_of(session)
        if request.url.path != action:  # the challenge failed: forms of this page belong to its own address
            return message(request, self._store, "Not confirmed", error or "", link=action, status=status)
        return page(
            request,
            self._store,
            "checkout.html",
            status=status,
            leads_to=session["success_url"],
            error=error,
            chosen=given.get("card", "visa"),
            email=given.get("email") or session["customer_email"] or "",
            code=given.get("code", ""),
            **_content(books, session),
        )


def _content(books: Books, session: Doc) -> dict[str, Any]:
    currency = session["currency"]
    is_setup = session["mode"] == "setup"
    invoice = tallied(books, session)
    lines = [_line(books, line) for line in invoice["lines"]["data"]]
    total = money(session["amount_total"] or 0, currency)
    button = {"subscription": f"Subscribe and pay {total}", "payment": f"Pay {total}", "setup": "Save this card"}
    has_trial = session["mode"] == "subscription" and _trial_text(books, session) is not None
    return {
        "heading": HEADINGS[session["mode"]],
        "total": "" if is_setup else total,
        "explanation": _trial_text(books, session),
        "lines": lines,
        "sums": [] if is_setup else sums_of(invoice, currency),
        "takes_codes": session["allow_promotion_codes"],
        "asks_email": session["customer"] is None,
        "button": "Start the trial" if has_trial else button[session["mode"]],
        "cancel_url": session["cancel_url"],
    }


def _line(books: Books, line: Doc) -> dict[str, str]:
    price = books.get("price", line["pricing"]["price_details"]["price"])
    each = f"{money(price['unit_amount'] or 0, price['currency'])} {rhythm_text(price)}".strip()
    quantity = f"{line['quantity']} x " if line["quantity"] != 1 else ""
    return {
        "name": line["description"],
        "detail": f"{quantity}{each}",
        "amount": money(line["amount"], line["currency"]),
    }


def _trial_text(books: Books, session: Doc) -> str | None:
    data = session["_"]["subscription_data"]
    finish = data["trial_end"] if data["trial_days"] is None else books.now + data["trial_days"] * 86_400
    return None if finish is None else f"Free until {date_text(finish)}; the first payment is then."
