"""The provider's own books: events, movements, and what an operation made."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.payments.providers import wire, wire_money
from app.payments.providers.fields import Fields
from app.payments.providers.invoice_lines import InvoiceLines
from app.payments.providers.money import from_then
from app.payments.providers.port import BalanceTransaction, EventHint, LookUp, Operation

PATHS: Final[dict[LookUp, str]] = {
    "customer": "/v1/customers",
    "checkout": "/v1/checkout/sessions",
    "subscription": "/v1/subscriptions",
    "refund": "/v1/refunds",
}
CLOCKS_DIFFER: Final = timedelta(hours=1)
TIME_ORDERED: Final = 7
"""The version of UUIDs whose first 48 bits are milliseconds since 1970 (RFC 9562, 5.7)."""


class Books(InvoiceLines):
    """Lists to compare our books with. Search is not used: it may lag behind by minutes."""

    async def list_events(self, since: datetime) -> AsyncIterator[EventHint]:
        """See the port."""
        async for raw in self._pages("/v1/events", **from_then(since)):
            yield wire.event(raw)

    async def list_balance_transactions(
        self, since: datetime | None = None, payment_id: str | None = None
    ) -> AsyncIterator[BalanceTransaction]:
        """See the port. A single payment's are read from its charges, refunds and disputes: lists can't be filtered."""
        if payment_id is None:
            async for raw in self._pages("/v1/balance_transactions", expand=["data.source"], **from_then(since)):
                yield wire_money.movement(raw, wire_money.source_payment(raw))
            return
        found = [wire_money.movement(raw, payment_id) for raw in await self._movements_of(payment_id)]
        found.sort(key=lambda each: each.created_at)
        for each in reversed(found):
            if since is None or each.created_at >= since:
                yield each

    async def _movements_of(self, payment_id: str) -> list[Fields]:
        """First what was charged, then what went back: movements of one second keep this order."""
        plain, failed = "balance_transaction", "failure_balance_transaction"
        expand = [f"data.{plain}", f"data.{failed}"]
        found = []
        for path in ("/v1/charges", "/v1/refunds"):
            rows = [each async for each in self._pages(path, payment_intent=payment_id, expand=expand)]
            for raw in reversed(rows):
                found += [each for each in (raw.maybe_sub(plain), raw.maybe_sub(failed)) if each]
        async for raw in self._pages("/v1/disputes", payment_intent=payment_id):
            found += raw.rows("balance_transactions")
        return found

    async def find(self, kind: LookUp, operation: Operation, customer_id: str | None) -> str | None:
        """See the port."""
        filters = _filters(kind, operation, customer_id)
        made_by = {wire.OPERATION: str(operation.id)}
        async for raw in self._pages(PATHS[kind], **filters):
            if wire.is_made_by(raw, made_by):
                return raw.text("id")
        return None


def _filters(kind: LookUp, operation: Operation, customer_id: str | None) -> dict[str, Any]:
    filters = from_then(_not_before(operation.id))
    if kind in ("checkout", "subscription"):
        filters["customer"] = customer_id
    if kind == "subscription":
        filters["status"] = "all"
    return filters


def _not_before(operation_id: UUID) -> datetime | None:
    """A time before which nothing can have been made by an operation; its id tells when it was thought of."""
    if operation_id.version != TIME_ORDERED:
        return None
    return datetime.fromtimestamp((operation_id.int >> 80) / 1_000, UTC) - CLOCKS_DIFFER
