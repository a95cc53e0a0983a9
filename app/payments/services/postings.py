"""What happened to money, as entries of the ledger. Debit is positive, credit negative; pure functions.

One transaction of the ledger for each movement of the provider's balance and for each fact of ours, so that cash is
equal to the provider's books by reference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.payments.providers.port import BalanceTransaction, InvoiceState, PaymentState
from app.payments.services.ledger import (
    BANK_IN_TRANSIT,
    CASH,
    CHARGEBACK_LOSS,
    CLEARING,
    CREDIT_LIABILITY,
    CUSTOMER_BALANCE,
    DEFERRED,
    DISPUTED_FUNDS,
    FEES,
    PAID_ELSEWHERE,
    PROVIDER_OTHER,
    REFUNDS,
    TAX_PAYABLE,
    Leg,
)

CHARGES: Final = ("charge", "payment")
GIVEN_BACK: Final = ("refund", "payment_refund", "payment_failure_refund", "refund_failure", "payment_reversal")
DISPUTES: Final = ("adjustment",)
PAYOUTS: Final = ("payout", "payout_cancel", "payout_failure")


@dataclass(frozen=True, slots=True)
class Sale:
    """What a payment was for: how much of it was tax, and whether it bought credits."""

    total_cents: int
    tax_cents: int
    is_credits: bool


def movement(provider: str, entry: BalanceTransaction, counter: Sequence[Leg]) -> list[Leg]:
    """The legs of one movement of our balance: cash, the fee, and the other side."""
    cash = Leg(CASH, provider, entry.currency, entry.amount_cents - entry.fee_cents)
    fees = Leg(FEES, provider, entry.currency, entry.fee_cents)
    return [leg for leg in [cash, fees, *counter] if leg.amount_cents]


def of_payment(
    provider: str, entries: Sequence[BalanceTransaction], payment: PaymentState, sale: Sale
) -> Iterator[tuple[BalanceTransaction, list[Leg]]]:
    """Each movement that belongs to a payment with its legs, oldest first.

    The tax in what is given back is rounded on the running sum, so that a whole refund gives back the whole tax.
    """
    back = 0
    for entry in sorted(entries, key=lambda each: (each.created_at, each.id)):
        amount, currency = entry.amount_cents, entry.currency
        if entry.type in CHARGES:
            counter = [Leg(CLEARING, payment.id, currency, -amount)]
        elif entry.type in GIVEN_BACK:
            tax = _tax(sale, back - amount) - _tax(sale, back)
            back -= amount
            taken_from = CREDIT_LIABILITY if sale.is_credits else REFUNDS
            counter = [Leg(taken_from, payment.id, currency, -amount - tax), Leg(TAX_PAYABLE, "", currency, tax)]
        elif entry.type in DISPUTES:
            counter = [Leg(DISPUTED_FUNDS, payment.id, currency, -amount)]
        else:
            counter = [Leg(PROVIDER_OTHER, entry.type, currency, -amount)]
        yield entry, movement(provider, entry, counter)


def _tax(sale: Sale, back: int) -> int:
    return (2 * back * sale.tax_cents + sale.total_cents) // (2 * sale.total_cents) if sale.total_cents else 0


def given_back(entries: Sequence[BalanceTransaction]) -> int:
    """What of a payment has gone back to the person or is held by a dispute, net of what was reinstated."""
    return -sum(entry.amount_cents for entry in entries if entry.type in GIVEN_BACK + DISPUTES)


def of_other(provider: str, entry: BalanceTransaction) -> list[Leg]:
    """The legs of a movement that belongs to no payment, such as a payout."""
    account = BANK_IN_TRANSIT if entry.type in PAYOUTS else PROVIDER_OTHER
    subject = "" if entry.type in PAYOUTS else entry.type
    return movement(provider, entry, [Leg(account, subject, entry.currency, -entry.amount_cents)])


def of_paid_invoice(invoice: InvoiceState, payments: Sequence[PaymentState]) -> list[Leg]:
    """A paid invoice: what was owed is earned day by day (deferred), the tax is owed on.

    What was paid is what the payments received; what the customer's credit paid, or was given, is its own account.
    """
    currency, subject = invoice.currency, invoice.subscription_id or invoice.id
    received = {payment.id: payment.received_cents for payment in payments}
    elsewhere = invoice.paid_cents - sum(received.values())
    return [
        leg
        for leg in (
            *(Leg(CLEARING, payment_id, currency, cents) for payment_id, cents in received.items()),
            Leg(PAID_ELSEWHERE, invoice.id, currency, elsewhere),
            Leg(CUSTOMER_BALANCE, invoice.customer_id, currency, invoice.total_cents - invoice.paid_cents),
            Leg(DEFERRED, subject, currency, invoice.tax_cents - invoice.total_cents),
            Leg(TAX_PAYABLE, "", currency, -invoice.tax_cents),
        )
        if leg.amount_cents
    ]


def of_bought_credits(payment_id: str, currency: str, received_cents: int) -> list[Leg]:
    """Credits that were paid for: owed until they are used."""
    return [
        Leg(CLEARING, payment_id, currency, received_cents),
        Leg(CREDIT_LIABILITY, payment_id, currency, -received_cents),
    ]


def of_lost_dispute(payment_id: str, currency: str, amount_cents: int) -> list[Leg]:
    """A dispute that was lost: the money does not come back."""
    return [
        Leg(CHARGEBACK_LOSS, payment_id, currency, amount_cents),
        Leg(DISPUTED_FUNDS, payment_id, currency, -amount_cents),
    ]
