"""Pages of a customer: the portal, an invoice, and 3-D Secure of a payment that waits for it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.payments.sim.clock import Clock
from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc, Missing, Refused, SimError
from app.payments.sim.core.store import Store
from app.payments.sim.core.wire import Params
from app.payments.sim.engine.cycling import ENDED
from app.payments.sim.engine.invoicing import collect
from app.payments.sim.engine.items import items_of, period_of
from app.payments.sim.pages.shell import chosen_card, go_to, message, page, read_form
from app.payments.sim.pages.words import card_text, date_text, money, rhythm_text, state_of, sums_of
from app.payments.sim.resources.intents import finish_challenge, intent_by_secret
from app.payments.sim.resources.payment_methods import attach, detach, new_method
from app.payments.sim.resources.setups import asks_on_setup, new_setup, save_card
from app.payments.sim.resources.subscriptions import apply_update

SHOWN_INVOICES = 24


class AccountPages:
    """Pages below `/portal`, `/invoice` and `/authenticate`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def show_portal(self, request: Request) -> Response:
        """Plan, cards, invoices."""
        with self._store.transaction() as books:
            return self._portal(request, books, _portal_session(books, request.path_params["token"]))

    async def change_portal(self, request: Request) -> Response:
        """Cancel, resume, add a card, remove one, pay with another."""
        form = await read_form(request, self._store)
        try:
            with self._store.transaction() as books:
                session = _portal_session(books, request.path_params["token"])
                target = _act(books, session["customer"], form, request.url.path)
        except SimError as error:
            with self._store.transaction() as books:
                session = _portal_session(books, request.path_params["token"])
                return self._portal(request, books, session, error=error.message, status=402)
        self._clock.catch_up()
        return go_to(target or request.url.path)

    async def show_invoice(self, request: Request) -> Response:
        """An invoice, and a way to pay it while it is open."""
        with self._store.transaction() as books:
            return self._invoice(request, _invoice(books, request.path_params["token"]))

    async def pay_invoice(self, request: Request) -> Response:
        """Pay an open invoice."""
        form = await read_form(request, self._store)
        error: SimError | None = None
        target = request.url.path
        with self._store.transaction() as books:
            invoice = _invoice(books, request.path_params["token"])
            try:
                target = _pay(books, invoice, form) or target
            except SimError as failure:
                error = failure
                if not failure.keeps:
                    books.discard()
        self._clock.catch_up()
        if error is None:
            return go_to(target)
        with self._store.transaction() as books:
            invoice = _invoice(books, request.path_params["token"])
            return self._invoice(request, invoice, error=error.message, status=402)

    async def show_challenge(self, request: Request) -> Response:
        """The bank asks."""
        with self._store.transaction() as books:
            intent = intent_by_secret(books, request.path_params["secret"])
            if intent["status"] != "requires_action":
                return self._after_challenge(request, intent)
            method = books.get("payment_method", intent["payment_method"])
            what = money(intent["amount"], intent["currency"]) if "amount" in intent else "that it may be saved"
            leads_to = intent["_"].get("return_url")
            shown = {"what": what, "last4": method["card"]["last4"]}
            return page(request, self._store, "challenge.html", leads_to=leads_to, **shown)

    async def answer_challenge(self, request: Request) -> Response:
        """What the bank hears."""
        form = await read_form(request, self._store)
        with self._store.transaction() as books:
            intent = intent_by_secret(books, request.path_params["secret"])
            if intent["status"] == "requires_action":
                finish_challenge(books, intent, passed=form.get("outcome") == "succeed")
            response = self._after_challenge(request, intent)
        self._clock.catch_up()
        return response

    def _after_challenge(self, request: Request, intent: Doc) -> Response:
        url = intent["_"].get("return_url")
        if url is not None:
            kind = intent["object"]
            status = "succeeded" if intent["status"] == "succeeded" else "failed"
            joint = "&" if "?" in url else "?"
            secret = f"{kind}_client_secret={intent['client_secret']}"
            return go_to(f"{url}{joint}{kind}={intent['id']}&{secret}&redirect_status={status}")
        if intent["status"] == "succeeded":
            return message(request, self._store, "Confirmed", "Thank you. You can close this page.")
        return message(request, self._store, "Not confirmed", "The payment was not made. Try another card.")

    def _portal(
        self, request: Request, books: Books, session: Doc, *, error: str | None = None, status: int = 200
    ) -> Response:
        customer = books.get("customer", session["customer"])
        methods = books.find("payment_method", customer=customer["id"])
        default = customer["invoice_settings"]["default_payment_method"]
        plans = [each for each in books.find("subscription", customer=customer["id"]) if each["status"] not in ENDED]
        own = {plan["default_payment_method"] for plan in plans} - {None}
        saved = [
            {"id": each["id"], "text": card_text(each), "is_default": each["id"] in (own or {default})}
            for each in methods
        ]
        invoices = books.find("invoice", customer=customer["id"], limit=SHOWN_INVOICES)
        return page(
            request,
            self._store,
            "portal.html",
            status=status,
            error=error,
            email=customer["email"] or "",
            plans=[_plan(books, plan) for plan in plans],
            saved=saved,
            invoices=[_invoice_row(each) for each in invoices if each["hosted_invoice_url"]],
            return_url=session["return_url"],
        )

    def _invoice(self, request: Request, invoice: Doc, *, error: str | None = None, status: int = 200) -> Response:
        currency = invoice["currency"]
        lines = [
            {
                "name": line["description"],
                "detail": f"{date_text(line['period']['start'])} to {date_text(line['period']['end'])}",
                "amount": money(line["amount"], currency),
            }
            for line in invoice["lines"]["data"]
        ]
        return page(
            request,
            self._store,
            "invoice.html",
            status=status,
            error=error,
            number=invoice["number"],
            date=date_text(invoice["created"]),
            email=invoice["customer_email"],
            lines=lines,
            sums=sums_of(invoice, currency),
            due=money(invoice["amount_due"], currency),
            is_open=invoice["status"] == "open",
            **state_of(invoice["status"]),
        )


def _portal_session(books: Books, token: str) -> Doc:
    known = books.peek("portal_token", token)
    if known is None or known["until"] <= books.now:
        raise Missing("This page is no longer there.")
    session = books.get("billing_portal.session", known["session"])
    books.get("customer", session["customer"])
    return session


def _act(books: Books, customer: str, form: dict[str, str], back: str) -> str | None:
    """Do what the form says; an address that the person has to go to for it, if there is one."""
    action, identifier = form.get("action", ""), form.get("id", "")
    if action in ("cancel", "resume"):
        subscription = _own(books, "subscription", identifier, customer)
        apply_update(books, subscription, Params({"cancel_at_period_end": "true" if action == "cancel" else "false"}))
    elif action == "remove":
        detach(books, _own(books, "payment_method", identifier, customer))
    elif action == "default":
        _set_default(books, customer, _own(books, "payment_method", identifier, customer)["id"])
    elif action == "add":
        return _add_card(books, customer, form, back)
    else:
        raise Refused("There is no such action.")
    return None


def _add_card(books: Books, customer: str, form: dict[str, str], back: str) -> str | None:
    method = new_method(books, chosen_card(form))
    intent = new_setup(books, customer, {})
    intent["payment_method"] = method["id"]
    if asks_on_setup(method):
        path = f"/authenticate/{intent['client_secret']}"
        url = books.setup.public_url + path
        intent["_"]["return_url"] = books.setup.public_url + back
        intent |= {"status": "requires_action"}
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"return_url": None, "url": url}}
        books.updated("setup_intent.requires_action", intent)
        return path
    save_card(books, method, customer)
    intent["status"] = "succeeded"
    books.updated("setup_intent.succeeded", intent)
    _set_default(books, customer, method["id"])
    return None


def _set_default(books: Books, customer: str, method: str) -> None:
    doc = books.get("customer", customer)
    doc["invoice_settings"]["default_payment_method"] = method
    books.updated("customer.updated", doc)
    for subscription in books.find("subscription", customer=customer):
        if subscription["status"] not in ENDED and subscription["default_payment_method"] is not None:
            subscription["default_payment_method"] = method
            books.updated("customer.subscription.updated", subscription)


def _own(books: Books, kind: str, identifier: str, customer: str) -> Doc:
    doc = books.get(kind, identifier)
    if doc["customer"] != customer:
        raise Missing("There is no such thing.")
    return doc


def _invoice(books: Books, token: str) -> Doc:
    found = books.find("invoice", where="json_extract(body, '$._.token') = ?", values=(token,), limit=1)
    if not found or found[0]["status"] == "draft":
        raise Missing("There is no such invoice.")
    return found[0]


def _pay(books: Books, invoice: Doc, form: dict[str, str]) -> str | None:
    """Pay with the card of the form; an address that the person has to go to for it, if there is one."""
    if invoice["status"] != "open":
        return None
    method = attach(books, new_method(books, chosen_card(form)), invoice["customer"])
    error = collect(books, invoice, method=method["id"])
    if error is not None:
        raise error
    if invoice["status"] == "open":
        intent = books.get("payment_intent", invoice["_"]["intent"])
        intent["_"]["return_url"] = invoice["hosted_invoice_url"]
        books.keep(intent)
        return f"/authenticate/{intent['client_secret']}"
    return None


def _plan(books: Books, plan: Doc) -> dict[str, Any]:
    items = items_of(plan)
    names = [(books.peek("product", item["price"]["product"]) or {}).get("name", "") for item in items]
    amount = sum((item["price"]["unit_amount"] or 0) * item["quantity"] for item in items)
    finish = date_text(period_of(plan)[1])
    is_ending = plan["cancel_at"] is not None
    is_trial = plan["status"] == "trialing"
    text = f"Ends on {date_text(plan['cancel_at'])}." if is_ending else f"Next payment on {finish}."
    action = ("resume", "Keep the plan") if is_ending else ("cancel", "End the plan with the period")
    scheduled = plan["schedule"] is not None
    return {
        "id": plan["id"],
        "name": ", ".join(names),
        "amount": f"{money(amount, plan['currency'])} {rhythm_text(items[0]['price'])}",
        "explanation": f"Free until then. {text}" if is_trial and not is_ending else text,
        "action": None if scheduled else action[0],
        "action_text": action[1],
        **state_of(plan["status"]),
    }


def _invoice_row(invoice: Doc) -> dict[str, Any]:
    return {
        "url": invoice["hosted_invoice_url"],
        "number": invoice["number"],
        "date": date_text(invoice["created"]),
        "amount": money(invoice["total"], invoice["currency"]),
        **state_of(invoice["status"]),
    }
