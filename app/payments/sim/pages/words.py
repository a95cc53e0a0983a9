"""Amounts, dates and states as a person reads them."""

from typing import Any, Final

from app.payments.sim.core.calendar import day_text
from app.payments.sim.core.errors import Doc

SYMBOLS: Final = {"usd": "$", "eur": "€", "gbp": "£"}
WITHOUT_CENTS: Final = ("bif", "clp", "jpy", "krw", "pyg", "vnd", "xaf", "xof")
"""Currencies whose smallest unit is the whole one (docs.stripe.com/currencies#zero-decimal)."""
GOOD: Final = ("active", "trialing", "paid", "complete")
BAD: Final = ("past_due", "unpaid", "canceled", "void", "uncollectible", "incomplete", "incomplete_expired")


def money(amount: int, currency: str | None) -> str:
    """`€9.00`, `-$3.50` or `500 JPY`."""
    code = (currency or "usd").lower()
    sign = "-" if amount < 0 else ""
    number = f"{abs(amount):,}" if code in WITHOUT_CENTS else f"{abs(amount) / 100:,.2f}"
    symbol = SYMBOLS.get(code)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {code.upper()}"


def rhythm_text(price: Doc) -> str:
    """`per month`, `every 3 months`; empty for a price that is paid once."""
    recurring = price["recurring"]
    if recurring is None:
        return ""
    count, interval = recurring["interval_count"], recurring["interval"]
    return f"per {interval}" if count == 1 else f"every {count} {interval}s"


def state_of(status: str) -> dict[str, Any]:
    """A status in words, and whether it is a good one."""
    return {"state": status.replace("_", " "), "mood": "good" if status in GOOD else "bad" if status in BAD else ""}


def sums_of(invoice: Doc, currency: str) -> list[dict[str, str]]:
    """Subtotal, discounts, taxes and total of an invoice."""
    off = sum(each["amount"] for each in invoice["total_discount_amounts"])
    sums = [("Discount", -off)] if off else []
    sums += [
        ("Tax" if tax["tax_behavior"] == "exclusive" else "Tax included", tax["amount"])
        for tax in invoice["total_taxes"]
        if tax["amount"]
    ]
    if sums:
        sums.insert(0, ("Subtotal", invoice["subtotal"]))
    return [{"name": name, "amount": money(amount, currency)} for name, amount in [*sums, ("Total", invoice["total"])]]


def card_text(method: Doc) -> str:
    """`Visa ···· 4242, until 12/2030`."""
    card = method["card"]
    return f"{card['brand'].capitalize()} ···· {card['last4']}, until {card['exp_month']:02}/{card['exp_year']}"


def date_text(moment: int) -> str:
    """A date."""
    return day_text(moment)
