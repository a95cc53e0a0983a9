"""Tables of payments. The unique keys are the design: every effect has one, and code inserts rather than asks.

What people wrote is sealed (the address of an invited person); the rest is ids, kinds, states, amounts and times.
Amounts are minor units of `currency`.
"""

from app.payments.models.billing import (
    BilledLine,
    BillingCustomer,
    BillingSubscription,
    Dispute,
    Invoice,
    Payment,
    Refund,
)
from app.payments.models.catalog import Coupon, CouponUse, Plan, PlanVersion, Price, ProviderPrice, Trial
from app.payments.models.clock import ProviderClock
from app.payments.models.consumers import ConsumerMonth
from app.payments.models.credits import CreditAccount, CreditHold, CreditLot, CreditReturn, CreditUse
from app.payments.models.families import Family, Seat
from app.payments.models.inbox import InboxEvent
from app.payments.models.ledger import LedgerLeg, LedgerTransaction, Recognition
from app.payments.models.operations import Checkout, ProviderOperation
from app.payments.models.receipts import Receipt, ReceiptSeries
from app.payments.models.reconciliation import Difference, ReconciliationRun
from app.payments.models.usage import UsageCounter, UsageEntry

__all__ = [
    "BilledLine",
    "BillingCustomer",
    "BillingSubscription",
    "Checkout",
    "ConsumerMonth",
    "Coupon",
    "CouponUse",
    "CreditAccount",
    "CreditHold",
    "CreditLot",
    "CreditReturn",
    "CreditUse",
    "Difference",
    "Dispute",
    "Family",
    "InboxEvent",
    "Invoice",
    "LedgerLeg",
    "LedgerTransaction",
    "Payment",
    "Plan",
    "PlanVersion",
    "Price",
    "ProviderClock",
    "ProviderOperation",
    "ProviderPrice",
    "Receipt",
    "ReceiptSeries",
    "Recognition",
    "ReconciliationRun",
    "Refund",
    "Seat",
    "Trial",
    "UsageCounter",
    "UsageEntry",
]
