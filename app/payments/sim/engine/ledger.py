"""Movements of the merchant's balance; the balance is their sum."""

from typing import Any

from app.payments.sim.core.books import Books
from app.payments.sim.core.calendar import DAY
from app.payments.sim.core.errors import Doc
from app.payments.sim.core.money import share
from app.payments.sim.core.render import live

CATEGORIES = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "adjustment": "dispute",
}


def move(
    books: Books,
    kind: str,
    source: str,
    amount: int,
    currency: str,
    *,
    fee: int = 0,
    available_on: int | None = None,
    description: str | None = None,
    category: str | None = None,
) -> Doc:
    """Write one movement; `net = amount - fee`."""
    details = {"amount": fee, "application": None, "currency": currency, "description": "Processing fees"}
    return books.new(
        "balance_transaction",
        amount=amount,
        available_on=books.now if available_on is None else available_on,
        balance_type="payments",
        currency=currency,
        description=description,
        exchange_rate=None,
        fee=fee,
        fee_details=[{**details, "type": "stripe_fee"}] if fee else [],
        net=amount - fee,
        reporting_category=category or CATEGORIES[kind],
        source=source,
        type=kind,
        _={"payout": None},
    )


def move_charge(books: Books, charge: Doc, *, is_instant: bool) -> Doc:
    """The movement of a captured charge, less the fee."""
    setup = books.setup
    amount = charge["amount_captured"]
    fee = min(amount, share(amount, setup.fee_permille, 1_000) + setup.fee_fixed)
    ready = books.now + (0 if is_instant else setup.available_days * DAY)
    return move(books, "charge", charge["id"], amount, charge["currency"], fee=fee, available_on=ready)


def balances(books: Books) -> dict[str, tuple[int, int]]:
    """What is available and what is pending, by currency."""
    books.flush()
    rows = books.db.execute(
        "SELECT json_extract(body, '$.currency'), sum(json_extract(body, '$.net')),"
        " sum(CASE WHEN json_extract(body, '$.available_on') <= ? THEN json_extract(body, '$.net') ELSE 0 END)"
        " FROM things WHERE kind = 'balance_transaction' GROUP BY 1",
        (books.now,),
    )
    return {currency: (available, total - available) for currency, total, available in rows}


@live("balance_transaction")
def _status(books: Books, doc: Doc) -> dict[str, Any]:
    return {"status": "available" if doc["available_on"] <= books.now else "pending"}
