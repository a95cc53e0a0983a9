"""The calls of the API, one file for each group of objects; importing them registers them."""

from app.payments.sim.resources import (
    catalogue,
    checkout,
    coupons,
    customers,
    events,
    intents,
    invoices,
    money,
    payment_methods,
    schedules,
    setups,
    subscriptions,
)

__all__ = [
    "catalogue",
    "checkout",
    "coupons",
    "customers",
    "events",
    "intents",
    "invoices",
    "money",
    "payment_methods",
    "schedules",
    "setups",
    "subscriptions",
]
