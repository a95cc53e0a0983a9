"""Lines of invoices, and what they come to with discounts and tax."""

from fractions import Fraction
from typing import Any

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc
from app.payments.sim.core.ids import new_id
from app.payments.sim.core.money import rounded
from app.payments.sim.engine.discounts import take_off


def unit_of(price: Doc) -> Fraction:
    """The price of one piece, which may have parts of a cent."""
    return Fraction(str(price["unit_amount_decimal"]))


def full_amount(price: Doc, quantity: int) -> int:
    """What a quantity costs for a whole period."""
    return rounded(unit_of(price) * quantity)


def new_line(
    amount: int,
    currency: str,
    description: str,
    period: tuple[int, int],
    *,
    price: Doc | None = None,
    quantity: int | None = 1,
    subscription: str | None = None,
    item: str | None = None,
    invoice_item: Doc | None = None,
    is_proration: bool = False,
) -> Doc:
    """A line that is not on an invoice yet."""
    amounts = (invoice_item or {}).get("proration_details", {}).get("discount_amounts", [])
    return {
        "id": new_id("line_item"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": amounts,
        "discountable": not is_proration if invoice_item is None else invoice_item["discountable"],
        "discounts": [each["discount"] for each in amounts],
        "invoice": None,
        "livemode": False,
        "metadata": {} if invoice_item is None else invoice_item["metadata"],
        "parent": _parent(subscription, item, invoice_item, is_proration=is_proration),
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": None if price is None else pricing_of(price),
        "quantity": quantity,
        "quantity_decimal": None if quantity is None else str(quantity),
        "subscription": subscription,
        "subtotal": amount,
        "taxes": [],
    }


def pricing_of(price: Doc) -> Doc:
    """How a price is shown on lines."""
    details = {"price": price["id"], "product": price["product"]}
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": price["unit_amount_decimal"]}


def line_of_pending(books: Books, pending: Doc) -> Doc:
    """The line that a pending invoice item becomes."""
    details = (pending["parent"] or {}).get("subscription_details", {})
    pricing = pending["pricing"]
    price = None if pricing is None else books.peek("price", pricing["price_details"]["price"])
    period = (pending["period"]["start"], pending["period"]["end"])
    return new_line(
        pending["amount"],
        pending["currency"],
        pending["description"] or "",
        period,
        price=price,
        quantity=pending["quantity"],
        subscription=details.get("subscription"),
        item=details.get("subscription_item"),
        invoice_item=pending,
        is_proration=pending["proration"],
    )


def tally(invoice: Doc, discounts: list[tuple[Doc, Doc]], tax_rates: list[Doc]) -> None:
    """Put discounts and taxes onto the lines, and the sums onto the invoice."""
    lines: list[Doc] = invoice["lines"]["data"]
    open_lines = [line for line in lines if line["discountable"]]
    for line, taken in zip(open_lines, take_off(discounts, [line["amount"] for line in open_lines]), strict=True):
        line["discount_amounts"] = taken
        line["discounts"] = [each["discount"] for each in taken]
    for line in lines:
        line["taxes"] = _taxes(line["amount"] - _sum(line["discount_amounts"]), tax_rates)
    _sum_up(invoice, lines)


def _parent(subscription: str | None, item: str | None, invoice_item: Doc | None, *, is_proration: bool) -> Doc | None:
    details: Doc = {"invoice_item": invoice_item and invoice_item["id"], "proration": is_proration}
    details |= {"proration_details": {"credited_items": None} if is_proration else None, "subscription": subscription}
    if item is not None:
        kind = "subscription_item_details"
        return {"type": kind, kind: {**details, "subscription_item": item}, "invoice_item_details": None}
    kind = "invoice_item_details"
    return {"type": kind, kind: details, "subscription_item_details": None}


def _taxes(amount: int, rates: list[Doc]) -> list[Doc]:
    inclusive = sum((Fraction(str(rate["percentage"])) for rate in rates if rate["inclusive"]), Fraction(0))
    base = Fraction(amount) * 100 / (100 + inclusive)
    return [_tax(rate, base) for rate in rates]


def _tax(rate: Doc, base: Fraction) -> Doc:
    return {
        "amount": rounded(base * Fraction(str(rate["percentage"])) / 100),
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": "standard_rated",
        "taxable_amount": rounded(base),
        "type": "tax_rate_details",
    }


def _sum_up(invoice: Doc, lines: list[Doc]) -> None:
    subtotal = _sum(lines)
    taxes = _by([tax for line in lines for tax in line["taxes"]], lambda tax: tax["tax_rate_details"]["tax_rate"])
    discounts = _by([each for line in lines for each in line["discount_amounts"]], lambda each: each["discount"])
    added = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    contained = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    total = subtotal - _sum(discounts) + added
    invoice |= {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - contained,
        "total": total,
        "total_excluding_tax": total - added - contained,
        "total_taxes": taxes,
        "total_discount_amounts": discounts,
        "total_pretax_credit_amounts": [{**each, "type": "discount"} for each in discounts],
        "discounts": [each["discount"] for each in discounts],
    }


def _by(entries: list[Doc], key: Any) -> list[Doc]:
    """Entries of the same key as one, their amounts added up."""
    sums: dict[str, Doc] = {}
    for entry in entries:
        known = sums.setdefault(key(entry), {**entry, "amount": 0} | ({"taxable_amount": 0} if "type" in entry else {}))
        known["amount"] += entry["amount"]
        if "type" in entry:
            known["taxable_amount"] += entry["taxable_amount"]
    return list(sums.values())


def _sum(entries: list[Doc]) -> int:
    return sum(entry["amount"] for entry in entries)
