"""What an invoice looks like before it has lines."""

from typing import Any

from app.payments.sim.core.errors import Doc


def parent_of(subscription: Doc | None, proration_date: int | None) -> Doc | None:
    """The subscription behind an invoice, as it is shown."""
    if subscription is None:
        return None
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    details["subscription_proration_date"] = proration_date
    return {"type": "subscription_details", "subscription_details": details, "quote_details": None}


def blank_invoice(customer: Doc, currency: str, reason: str, period: tuple[int, int]) -> dict[str, Any]:
    """All fields of a draft; the sums are still to come."""
    nothing = (
        "account_tax_ids application custom_fields customer_account customer_address customer_phone "
        "customer_shipping default_payment_method default_source description due_date effective_at footer "
        "from_invoice hosted_invoice_url invoice_pdf last_finalization_error latest_revision "
        "next_payment_attempt number on_behalf_of receipt_number rendering shipping_cost shipping_details "
        "statement_descriptor test_clock threshold_reason webhooks_delivered_at automatically_finalizes_at"
    )
    return dict.fromkeys(nothing.split()) | {
        "account_country": "US",
        "account_name": "LifeVault simulator",
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "currency": currency,
        "customer": customer["id"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "issuer": {"type": "self"},
        "metadata": {},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_start": period[0],
        "period_end": period[1],
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
    }
