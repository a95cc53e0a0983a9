"""Routes of payments: one file for each group, joined here."""

from app.api.routes import Router
from app.payments.router import (
    admin_books,
    admin_consumers,
    admin_money,
    admin_reports,
    cards,
    checkout,
    family,
    invoices,
    operations,
    plans,
    receipts,
    subscription,
    usage,
    webhooks,
)

router = Router(prefix="/payments", tags=["payments"])
for group in (
    plans,
    family,
    usage,
    checkout,
    subscription,
    cards,
    invoices,
    receipts,
    operations,
    webhooks,
    admin_money,
    admin_books,
    admin_reports,
    admin_consumers,
):
    router.include_router(group.router)
