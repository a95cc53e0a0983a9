"""Disputes: the money goes with the claim, comes back if it is won, and is gone if it is lost or not answered."""

from typing import Final

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Doc, Refused
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.cards import card_of
from app.payments.sim.engine.ledger import move

ANSWER_DAYS: Final = 9
DECISION_DAYS: Final = 60
REASONS: Final = (
    "bank_cannot_process",
    "credit_not_processed",
    "customer_initiated",
    "duplicate",
    "fraudulent",
    "general",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)
WINNING, LOSING = "winning_evidence", "losing_evidence"
"""Words in `uncategorized_text` that decide a dispute at once (docs.stripe.com/testing#evidence)."""
OPEN: Final = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
EVIDENCE: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "uncategorized_text",
)


@due("dispute.open")
def open_by_card(books: Books, identifier: str) -> None:
    """The owner of a test card disputes the payment."""
    charge = books.get("charge", identifier)
    card = card_of(books.get("payment_method", charge["payment_method"]))
    left = charge["amount_captured"] - charge["amount_refunded"]
    if not charge["disputed"] and left > 0:
        open_dispute(books, charge, card.dispute or "general", None, is_inquiry=card.is_inquiry)


def open_dispute(books: Books, charge: Doc, reason: str, amount: int | None, *, is_inquiry: bool = False) -> Doc:
    """Open a dispute over a charge. Raises `Refused`."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or charge["disputed"] or left <= 0:
        raise Refused("This charge can't be disputed: it is not paid, or it is disputed or refunded already.")
    doc = books.new(
        "dispute",
        amount=min(amount or left, left),
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence=dict.fromkeys(EVIDENCE),
        evidence_details={
            "due_by": books.now + ANSWER_DAYS * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        is_charge_refundable=is_inquiry,
        metadata={},
        network_reason_code="10.4",
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "type": "card",
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": charge["payment_method_details"]["card"]["brand"],
                "network_reason_code": "10.4",
            },
        },
        reason=reason,
        status="warning_needs_response" if is_inquiry else "needs_response",
    )
    charge["disputed"] = True
    if not is_inquiry:
        charge["_"] = {**charge.get("_", {}), "is_withdrawn": True}
        _move(books, doc, -doc["amount"], books.setup.dispute_fee, "dispute")
    books.updated("charge.updated", charge)
    books.emit("charge.dispute.created", doc)
    if not is_inquiry:
        books.emit("charge.dispute.funds_withdrawn", doc)
    books.plan("dispute.deadline", doc["id"], doc["evidence_details"]["due_by"])
    return doc


def submit(books: Books, dispute: Doc) -> None:
    """Send the evidence to the bank; the words of the test environment decide at once."""
    details = dispute["evidence_details"]
    details |= {
        "has_evidence": True,
        "submission_method": "manual",
        "submission_count": details["submission_count"] + 1,
    }
    is_inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_under_review" if is_inquiry else "under_review"
    books.updated("charge.dispute.updated", dispute)
    text = str(dispute["evidence"].get("uncategorized_text") or "")
    if WINNING in text:
        settle(books, dispute, won=True)
    elif LOSING in text:
        settle(books, dispute, won=False)
    else:
        books.plan("dispute.deadline", dispute["id"], books.now + DECISION_DAYS * DAY)


def settle(books: Books, dispute: Doc, *, won: bool) -> None:
    """Decide a dispute; a won one gives the money back. Raises `Refused` if it is decided already."""
    if dispute["status"] not in OPEN:
        raise Refused("The dispute is closed.", code="dispute_closed")
    books.plan("dispute.deadline", dispute["id"], None)
    is_inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if is_inquiry else "won" if won else "lost"
    dispute["is_charge_refundable"] = is_inquiry or won
    if won and not is_inquiry:
        charge = books.get("charge", dispute["charge"])
        charge["_"] = {**charge.get("_", {}), "is_withdrawn": False}
        books.keep(charge)
        _move(books, dispute, dispute["amount"], 0, "dispute_reversal")
    books.updated("charge.dispute.closed", dispute)
    if won and not is_inquiry:
        books.emit("charge.dispute.funds_reinstated", dispute)


@due("dispute.deadline")
def decide_at_deadline(books: Books, identifier: str) -> None:
    """Nobody has answered, or the bank has taken as long as it may: the dispute is lost."""
    dispute = books.get("dispute", identifier)
    if dispute["status"] in OPEN:
        dispute["evidence_details"]["past_due"] = not dispute["evidence_details"]["has_evidence"]
        settle(books, dispute, won=False)


def _move(books: Books, dispute: Doc, amount: int, fee: int, category: str) -> None:
    movement = move(
        books,
        "adjustment",
        dispute["id"],
        amount,
        dispute["currency"],
        fee=fee,
        description=f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
        category=category,
    )
    shown = {name: value for name, value in movement.items() if name != "_"} | {"status": "available"}
    dispute["balance_transactions"] = [*dispute["balance_transactions"], shown]
