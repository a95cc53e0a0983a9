"""Identifiers with the prefixes of their kinds; a kind is the word in `object`."""

import os
import time
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIXES: Final = {
    "customer": "cus",
    "product": "prod",
    "price": "price",
    "promotion_code": "promo",
    "tax_rate": "txr",
    "payment_method": "pm",
    "setup_intent": "seti",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "dispute": "dp",
    "balance_transaction": "txn",
    "customer_balance_transaction": "cbtxn",
    "payout": "po",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
    "invoice": "in",
    "line_item": "il",
    "item": "li",
    "invoiceitem": "ii",
    "invoice_payment": "inpay",
    "discount": "di",
    "checkout.session": "cs_test",
    "billing_portal.session": "bps",
    "event": "evt",
    "test_helpers.test_clock": "clock",
    "coupon": "coupon",
}
KINDS: Final = {prefix: kind for kind, prefix in PREFIXES.items()}
STAMP_LENGTH: Final = 11
_latest = [0]


def random_text(length: int = 24) -> str:
    """Letters and digits that nobody can guess: nearly six bits each."""
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(length))


def new_id(kind: str) -> str:
    """A new identifier of a kind; those of one process sort by the time they were made, and can't be guessed."""
    length = 56 if kind == "checkout.session" else 24
    return f"{PREFIXES[kind]}_{_stamp()}{random_text(length - STAMP_LENGTH)}"


def _stamp() -> str:
    _latest[0] = number = max(time.time_ns(), _latest[0] + 1)
    digits = []
    for _ in range(STAMP_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def kind_of(identifier: str) -> str | None:
    """The kind that an identifier belongs to, by its prefix."""
    return KINDS.get(identifier.rpartition("_")[0])
