"""Giving money back, never more than is left."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Doc, Refused
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.cards import card_of
from app.payments.sim.engine.ledger import move


def refund(books: Books, charge: Doc, amount: int | None, reason: str | None, metadata: dict[str, str]) -> Doc:
    """Refund a part of a charge, or what is left of it. Raises `Refused`."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    _check(charge, left, amount)
    given = left if amount is None else amount
    card = card_of(books.get("payment_method", charge["payment_method"]))
    doc = books.new(
        "refund",
        amount=given,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        customer=charge["customer"],
        failure_balance_transaction=None,
        destination_details={"type": "card", "card": {"reference_status": "pending", "type": "refund"}},
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=reason,
        receipt_number=None,
        source_transfer_reversal=None,
        status="pending" if card.refund == "pending" else "succeeded",
        transfer_reversal=None,
    )
    doc["balance_transaction"] = move(books, "refund", doc["id"], -given, charge["currency"])["id"]
    if card.refund != "done":
        books.plan(f"refund.{card.refund}", doc["id"], books.now + DAY)
    _count(books, charge, given)
    books.emit("refund.created", doc)
    books.updated("charge.refunded", charge)
    return doc


@due("refund.pending")
def settle(books: Books, identifier: str) -> None:
    """A slow refund has arrived."""
    doc = books.get("refund", identifier)
    doc["status"] = "succeeded"
    books.updated("refund.updated", doc)


@due("refund.fails")
def bounce(books: Books, identifier: str) -> None:
    """A refund came back: the money is ours again."""
    doc = books.get("refund", identifier)
    movement = move(books, "refund_failure", doc["id"], doc["amount"], doc["currency"])
    doc |= {
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "failure_balance_transaction": movement["id"],
    }
    charge = books.get("charge", doc["charge"])
    _count(books, charge, -doc["amount"])
    books.updated("refund.failed", doc)
    books.updated("charge.updated", charge)


def _count(books: Books, charge: Doc, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    books.keep(charge)


def _check(charge: Doc, left: int, amount: int | None) -> None:
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise Refused("This charge can't be refunded: nothing was taken.", code="charge_not_refundable")
    if charge["disputed"] and charge.get("_", {}).get("is_withdrawn"):
        raise Refused("The charge has been charged back.", code="charge_disputed", param="charge")
    if left <= 0:
        raise Refused("The charge has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise Refused(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).",
            code="amount_too_large",
            param="amount",
        )
