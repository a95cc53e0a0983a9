"""Invoices, payments, refunds, disputes."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

from app.payments.providers import wire_money
from app.payments.providers.caller import half_done
from app.payments.providers.customers import marked
from app.payments.providers.fields import Fields
from app.payments.providers.invoice_lines import InvoiceLines
from app.payments.providers.port import DisputeState, InvoiceState, Operation, PaymentState, RefundState

EXPAND: Final = {"expand": ["payments"]}


def from_then(since: datetime | None) -> dict[str, Any]:
    """The filter of lists: what was made then or later."""
    return {} if since is None else {"created": {"gte": int(since.timestamp())}}


class Money(InvoiceLines):
    """What was billed, paid, given back and disputed."""

    async def fetch_invoice(self, invoice_id: str) -> InvoiceState:
        """See the port."""
        return await self._invoice(await self._read(f"/v1/invoices/{invoice_id}", **EXPAND))

    async def list_invoices(
        self, customer_id: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[InvoiceState]:
        """See the port."""
        wanted = {"customer": customer_id, "expand": ["data.payments"], **from_then(since)}
        async for raw in self._pages("/v1/invoices", **wanted):
            yield await self._invoice(raw)

    async def _invoice(self, raw: Fields) -> InvoiceState:
        lines = await self._lines_of(raw)
        return wire_money.invoice(raw, lines, await self._lookup_of(lines))

    async def pay_invoice(self, operation: Operation, invoice_id: str) -> InvoiceState:
        """See the port."""
        paid = await self._post(f"/v1/invoices/{invoice_id}/pay", operation.key, EXPAND)
        with half_done():
            return await self._invoice(paid)

    async def fetch_payment(self, payment_id: str) -> PaymentState:
        """See the port. Without a redirect of its own, a challenge is confirmed on the page of the invoice."""
        raw = await self._read(f"/v1/payment_intents/{payment_id}", expand=["latest_charge"])
        paid_for = {"type": "payment_intent", "payment_intent": payment_id}
        links = (await self._read("/v1/invoice_payments", payment=paid_for, limit=1)).rows("data")
        invoice_id = links[0].ref("invoice") if links else None
        url = wire_money.redirect_url(raw)
        if url is None and invoice_id and raw.text("status") == "requires_action":
            url = (await self._read(f"/v1/invoices/{invoice_id}")).maybe_text("hosted_invoice_url")
        return wire_money.payment(raw, invoice_id, url)

    async def create_refund(
        self, operation: Operation, payment_id: str, *, amount_cents: int, reason: str | None
    ) -> RefundState:
        """See the port."""
        params = {
            "payment_intent": payment_id,
            "amount": amount_cents,
            "reason": reason,
            "metadata": marked(operation),
        }
        return wire_money.refund(await self._post("/v1/refunds", operation.key, params))

    async def fetch_refund(self, refund_id: str) -> RefundState:
        """See the port."""
        return wire_money.refund(await self._read(f"/v1/refunds/{refund_id}"))

    async def fetch_dispute(self, dispute_id: str) -> DisputeState:
        """See the port."""
        return wire_money.dispute(await self._read(f"/v1/disputes/{dispute_id}"))

    async def list_disputes(self, since: datetime | None = None) -> AsyncIterator[DisputeState]:
        """See the port."""
        async for raw in self._pages("/v1/disputes", **from_then(since)):
            yield wire_money.dispute(raw)

    async def answer_dispute(
        self, operation: Operation, dispute_id: str, evidence: Mapping[str, str], *, submit: bool
    ) -> DisputeState:
        """See the port."""
        params = {"evidence": dict(evidence), "submit": submit}
        return wire_money.dispute(await self._post(f"/v1/disputes/{dispute_id}", operation.key, params))
