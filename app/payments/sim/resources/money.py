"""Charges, refunds, disputes, and the merchant's balance."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, page_of, route
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.render import include
from app.payments.sim.core.wire import merged
from app.payments.sim.engine.disputing import EVIDENCE, OPEN, settle, submit
from app.payments.sim.engine.ledger import balances
from app.payments.sim.engine.refunding import refund

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


@route("GET", "/v1/charges/{id}")
def retrieve_charge(call: Call, identifier: str) -> Doc:
    """A charge."""
    return call.books.get("charge", identifier)


@route("POST", "/v1/charges/{id}")
def update_charge(call: Call, identifier: str) -> Doc:
    """Change the metadata or the description of a charge."""
    charge = call.books.get("charge", identifier)
    charge["metadata"] = merged(charge["metadata"], call.params)
    if call.params.has("description"):
        charge["description"] = call.params.text("description")
    call.books.updated("charge.updated", charge)
    return charge


@route("GET", "/v1/charges")
def list_charges(call: Call) -> Doc:
    """Charges, newest first; failed ones too."""
    params = call.params
    return listing(call, "charge", customer=params.text("customer"), parent=params.text("payment_intent"))


@route("POST", "/v1/refunds")
def create_refund(call: Call) -> Doc:
    """Give money back."""
    params, books = call.params, call.books
    charge_id, intent_id = params.text("charge"), params.text("payment_intent")
    if intent_id is not None:
        charge_id = charge_id or books.get("payment_intent", intent_id, "payment_intent")["latest_charge"]
    if charge_id is None:
        if intent_id is not None:
            raise Refused("This PaymentIntent does not have a successful charge to refund.")
        raise Invalid("One of charge or payment_intent is needed.", code="parameter_missing", param="charge")
    amount = params.integer("amount", minimum=1)
    reason = params.choice("reason", REASONS)
    params.accept("refund_application_fee", "reverse_transfer", "instructions_email", "origin")
    return refund(books, books.get("charge", charge_id, "charge"), amount, reason, params.metadata())


@route("GET", "/v1/refunds/{id}")
def retrieve_refund(call: Call, identifier: str) -> Doc:
    """A refund."""
    return call.books.get("refund", identifier)


@route("POST", "/v1/refunds/{id}")
def update_refund(call: Call, identifier: str) -> Doc:
    """Change the metadata of a refund."""
    found = call.books.get("refund", identifier)
    found["metadata"] = merged(found["metadata"], call.params)
    call.books.updated("refund.updated", found)
    return found


@route("GET", "/v1/refunds")
def list_refunds(call: Call) -> Doc:
    """Refunds, newest first."""
    intent = {"payment_intent": call.params.text("payment_intent")}
    return listing(call, "refund", parent=call.params.text("charge"), where=intent)


@route("GET", "/v1/disputes/{id}")
def retrieve_dispute(call: Call, identifier: str) -> Doc:
    """A dispute."""
    return call.books.get("dispute", identifier)


@route("POST", "/v1/disputes/{id}")
def update_dispute(call: Call, identifier: str) -> Doc:
    """Give evidence, and send it unless `submit` is false."""
    books, params = call.books, call.params
    dispute = books.get("dispute", identifier)
    evidence = params.group("evidence")
    given = {name: evidence.text(name, longest=20_000) for name in EVIDENCE if evidence.has(name)}
    dispute["metadata"] = merged(dispute["metadata"], params)
    if given and dispute["status"] not in OPEN:
        raise Refused("The dispute is closed.", code="dispute_closed")
    dispute["evidence"] |= given
    dispute["evidence_details"]["has_evidence"] = any(dispute["evidence"].values())
    if params.flag("submit", default=True) and given:
        submit(books, dispute)
    else:
        books.updated("charge.dispute.updated", dispute)
    return dispute


@route("POST", "/v1/disputes/{id}/close")
def close_dispute(call: Call, identifier: str) -> Doc:
    """Give a dispute up: it is lost."""
    dispute = call.books.get("dispute", identifier)
    settle(call.books, dispute, won=False)
    return dispute


@route("GET", "/v1/disputes")
def list_disputes(call: Call) -> Doc:
    """Disputes, newest first."""
    intent = {"payment_intent": call.params.text("payment_intent")}
    return listing(call, "dispute", parent=call.params.text("charge"), where=intent)


@route("GET", "/v1/balance")
def retrieve_balance(call: Call) -> Doc:
    """The sum of all movements, by currency."""
    sums = balances(call.books) or {"usd": (0, 0)}
    shown = [_funds(sums, index) for index in (0, 1)]
    return {
        "object": "balance",
        "available": shown[0],
        "livemode": False,
        "pending": shown[1],
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }


@route("GET", "/v1/balance_transactions/{id}")
def retrieve_movement(call: Call, identifier: str) -> Doc:
    """A movement of the balance."""
    return call.books.get("balance_transaction", identifier)


@route("GET", "/v1/balance_transactions")
def list_movements(call: Call) -> Doc:
    """Movements, newest first."""
    params = call.params
    where = {
        "type": params.text("type"),
        "currency": params.text("currency"),
        "_.payout": params.text("payout"),
    }
    return listing(call, "balance_transaction", parent=params.text("source"), where=where)


@route("GET", "/v1/payouts/{id}")
def retrieve_payout(call: Call, identifier: str) -> Doc:
    """A payout."""
    return call.books.get("payout", identifier)


@route("GET", "/v1/payouts")
def list_payouts(call: Call) -> Doc:
    """Payouts, newest first."""
    return listing(call, "payout", where={"status": call.params.text("status")})


@include("charge", "refunds")
def refunds_of(books: Books, charge: Doc) -> Doc:
    """The newest refunds of a charge."""
    found = books.find("refund", parent=charge["id"], limit=11)
    return page_of(found[:10], f"/v1/charges/{charge['id']}/refunds", has_more=len(found) > 10)


def _funds(sums: dict[str, tuple[int, int]], index: int) -> list[Doc]:
    return [
        {"amount": amounts[index], "currency": currency, "source_types": {"card": amounts[index]}}
        for currency, amounts in sorted(sums.items())
    ]
