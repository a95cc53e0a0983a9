"""Daily payouts of what is available, if they are switched on."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.ids import random_text
from app.payments.sim.engine.agenda import due
from app.payments.sim.engine.ledger import balances, move

ARRIVAL_DAYS = 2
DAILY = "all"


def plan_daily(books: Books) -> None:
    """The next payout at the next midnight, or none."""
    books.plan("payout.daily", DAILY, (books.now // DAY + 1) * DAY if books.setup.payouts else None)


@due("payout.daily")
def pay_out(books: Books, _identifier: str) -> None:
    """Send what is available in each currency to the bank."""
    for currency, (available, _) in balances(books).items():
        if available > 0:
            _send(books, currency, available)
    plan_daily(books)


@due("payout.arrive")
def arrive(books: Books, identifier: str) -> None:
    """A payout is in the bank."""
    payout = books.get("payout", identifier)
    payout["status"] = "paid"
    books.updated("payout.paid", payout)


def _send(books: Books, currency: str, amount: int) -> None:
    parts = books.find(
        "balance_transaction",
        where="json_extract(body, '$.currency') = ? AND json_extract(body, '$.available_on') <= ?"
        " AND json_extract(body, '$._.payout') IS NULL",
        values=(currency, books.now),
    )
    payout = books.new(
        "payout",
        amount=amount,
        application_fee=None,
        application_fee_amount=None,
        arrival_date=books.now + ARRIVAL_DAYS * DAY,
        automatic=True,
        balance_transaction=None,
        currency=currency,
        description="STRIPE PAYOUT",
        destination=f"ba_{random_text()}",
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        metadata={},
        method="standard",
        original_payout=None,
        payout_method=None,
        reconciliation_status="completed",
        reversed_by=None,
        source_type="card",
        statement_descriptor=None,
        status="in_transit",
        trace_id=None,
        type="bank_account",
    )
    movement = move(books, "payout", payout["id"], -amount, currency)
    payout["balance_transaction"] = movement["id"]
    for part in (*parts, movement):
        part["_"]["payout"] = payout["id"]
        books.keep(part)
    books.emit("payout.created", payout)
    books.plan("payout.arrive", payout["id"], payout["arrival_date"])
