"""Stripe's objects of money, as `wire.API_VERSION` has them, become those of the port."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from app.payments.providers.fields import Fields
from app.payments.providers.port import (
    BalanceTransaction,
    Card,
    DisputeState,
    InvoiceLine,
    InvoiceState,
    PaymentState,
    Preview,
    RefundState,
)
from app.payments.providers.wire import LookupKey, card


def line_price(line: Fields) -> str | None:
    """The id of a line's price; lines of other kinds have none."""
    pricing = line.maybe_sub("pricing")
    details = pricing.maybe_sub("price_details") if pricing else None
    return details.maybe_ref("price") if details else None


def invoice_line(raw: Fields, lookup_key: LookupKey) -> InvoiceLine:
    """One line of an invoice."""
    price_id, period = line_price(raw), raw.sub("period")
    return InvoiceLine(
        id=raw.text("id"),
        description=raw.maybe_text("description") or "",
        amount_cents=raw.whole("amount"),
        quantity=raw.maybe_whole("quantity"),
        lookup_key=lookup_key(price_id) if price_id else None,
        is_proration=_is_proration(raw),
        period_start=period.time("start"),
        period_end=period.time("end"),
        discount_cents=_sum(raw.maybe_rows("discount_amounts")),
        tax_cents=_sum(raw.maybe_rows("taxes")),
    )


def _is_proration(line: Fields) -> bool:
    parent = line.maybe_sub("parent")
    details = parent.maybe_sub(parent.text("type")) if parent else None
    return details is not None and details.flag("proration")


def _sum(amounts: Iterable[Fields]) -> int:
    return sum(each.whole("amount") for each in amounts)


def invoice(raw: Fields, lines: Sequence[Fields], lookup_key: LookupKey) -> InvoiceState:
    """An invoice whose payments are expanded, and all of its lines."""
    dates, start = raw.sub("status_transitions"), raw.whole("starting_balance")
    end = raw.maybe_whole("ending_balance")
    return InvoiceState(
        id=raw.text("id"),
        number=raw.maybe_text("number"),
        customer_id=raw.ref("customer"),
        subscription_id=_invoice_subscription(raw),
        status=raw.one_of("status", "draft", "open", "paid", "void", "uncollectible"),
        reason=raw.maybe_text("billing_reason"),
        currency=raw.text("currency"),
        subtotal_cents=raw.whole("subtotal"),
        discount_cents=_sum(raw.maybe_rows("total_discount_amounts")),
        tax_cents=_sum(raw.maybe_rows("total_taxes")),
        total_cents=raw.whole("total"),
        applied_balance_cents=0 if end is None else start - end,
        due_cents=raw.whole("amount_due"),
        paid_cents=raw.whole("amount_paid"),
        lines=tuple(invoice_line(each, lookup_key) for each in lines),
        payment_ids=tuple(_invoice_payments(raw)),
        attempts=raw.whole("attempt_count"),
        next_attempt_at=raw.maybe_time("next_payment_attempt"),
        created_at=raw.time("created"),
        finalized_at=dates.maybe_time("finalized_at"),
        paid_at=dates.maybe_time("paid_at"),
        hosted_url=raw.maybe_text("hosted_invoice_url"),
    )


def _invoice_subscription(raw: Fields) -> str | None:
    parent = raw.maybe_sub("parent")
    details = parent.maybe_sub("subscription_details") if parent else None
    return details.maybe_ref("subscription") if details else None


def _invoice_payments(raw: Fields) -> Iterable[str]:
    for each in raw.sub("payments").rows("data") if raw.has("payments") else ():
        payment_id = each.sub("payment").maybe_ref("payment_intent")
        if payment_id:
            yield payment_id


def preview(raw: Fields, lines: Sequence[Fields], lookup_key: LookupKey, at: datetime) -> Preview:
    """An invoice that was not made."""
    return Preview(
        lines=tuple(invoice_line(each, lookup_key) for each in lines),
        currency=raw.text("currency"),
        subtotal_cents=raw.whole("subtotal"),
        discount_cents=_sum(raw.maybe_rows("total_discount_amounts")),
        tax_cents=_sum(raw.maybe_rows("total_taxes")),
        total_cents=raw.whole("total"),
        due_cents=raw.whole("amount_due"),
        at=at,
    )


def payment(raw: Fields, invoice_id: str | None, action_url: str | None) -> PaymentState:
    """A payment intent whose newest charge is expanded."""
    charge = raw.maybe_sub("latest_charge")
    return PaymentState(
        id=raw.text("id"),
        customer_id=raw.maybe_ref("customer"),
        status=raw.text("status"),
        currency=raw.text("currency"),
        amount_cents=raw.whole("amount"),
        received_cents=raw.whole("amount_received"),
        charge_id=charge.text("id") if charge else None,
        refunded_cents=charge.whole("amount_refunded") if charge else 0,
        is_disputed=charge.flag("disputed") if charge else False,
        card=_paid_with(raw, charge),
        failure_code=_failure_code(raw),
        invoice_id=invoice_id,
        action_url=action_url,
        created_at=raw.time("created"),
        metadata=raw.texts("metadata"),
    )


def _paid_with(raw: Fields, charge: Fields | None) -> Card | None:
    """The card of the newest charge, or the one that was refused; whether it is the default one isn't told here."""
    error = raw.maybe_sub("last_payment_error")
    refused = error.maybe_sub("payment_method") if error else None
    if charge is None:
        details = refused.maybe_sub("card") if refused else None
        return card(refused.text("id"), details) if refused and details else None
    method = charge.maybe_sub("payment_method_details")
    details = method.maybe_sub("card") if method else None
    return card(charge.text("payment_method"), details) if details else None


def _failure_code(raw: Fields) -> str | None:
    error = raw.maybe_sub("last_payment_error")
    return (error.maybe_text("decline_code") or error.text("code")) if error else None


def redirect_url(raw: Fields) -> str | None:
    """Where a person confirms a payment intent, if its next action says so."""
    action = raw.maybe_sub("next_action")
    target = action.maybe_sub("redirect_to_url") if action else None
    return target.text("url") if target else None


def refund(raw: Fields) -> RefundState:
    """A refund of a payment intent."""
    return RefundState(
        id=raw.text("id"),
        payment_id=raw.ref("payment_intent"),
        charge_id=raw.ref("charge"),
        status=raw.text("status"),
        amount_cents=raw.whole("amount"),
        currency=raw.text("currency"),
        reason=raw.maybe_text("reason"),
        created_at=raw.time("created"),
        metadata=raw.texts("metadata"),
    )


def dispute(raw: Fields) -> DisputeState:
    """A dispute about a charge."""
    return DisputeState(
        id=raw.text("id"),
        charge_id=raw.ref("charge"),
        payment_id=raw.maybe_ref("payment_intent"),
        status=raw.text("status"),
        reason=raw.text("reason"),
        amount_cents=raw.whole("amount"),
        currency=raw.text("currency"),
        evidence_due_at=raw.sub("evidence_details").maybe_time("due_by"),
        created_at=raw.time("created"),
    )


def movement(raw: Fields, payment_id: str | None) -> BalanceTransaction:
    """A balance transaction, and the payment that it belongs to."""
    return BalanceTransaction(
        id=raw.text("id"),
        type=raw.text("type"),
        source_id=raw.maybe_ref("source"),
        payment_id=payment_id,
        currency=raw.text("currency"),
        amount_cents=raw.whole("amount"),
        fee_cents=raw.whole("fee"),
        net_cents=raw.whole("net"),
        created_at=raw.time("created"),
    )


def source_payment(raw: Fields) -> str | None:
    """The payment that a movement's expanded source (a charge, refund or dispute) belongs to."""
    source = raw.maybe_sub("source")
    return source.maybe_ref("payment_intent") if source else None
