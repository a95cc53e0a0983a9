"""Customers, checkouts and the portal, cards."""

from collections.abc import Sequence
from uuid import UUID

from app.payments.providers import wire
from app.payments.providers.caller import half_done
from app.payments.providers.port import Card, CheckoutRequest, CheckoutState, Missing, Operation
from app.payments.providers.prices import Prices

FAMILY = "lv_family"


def marked(operation: Operation, **more: str) -> dict[str, str]:
    """Metadata by which what an operation made is found again."""
    return {**more, wire.OPERATION: str(operation.id)}


class Customers(Prices):
    """Who pays, where, and with what."""

    async def create_customer(self, operation: Operation, *, family_id: UUID, email: str, name: str) -> str:
        """See the port."""
        params = {"email": email, "name": name, "metadata": marked(operation, **{FAMILY: str(family_id)})}
        return (await self._post("/v1/customers", operation.key, params)).text("id")

    async def update_customer(self, operation: Operation, customer_id: str, *, email: str, name: str) -> None:
        """See the port."""
        await self._post(f"/v1/customers/{customer_id}", operation.key, {"email": email, "name": name})

    async def delete_customer(self, operation: Operation, customer_id: str) -> None:
        """See the port. One that was deleted before is no error."""
        path = f"/v1/customers/{customer_id}"
        try:
            await self._delete(path, operation.key)
        except Missing:
            if not (await self._read(path)).has("deleted"):
                raise

    async def create_checkout(self, operation: Operation, request: CheckoutRequest) -> CheckoutState:
        """See the port."""
        metadata = marked(operation, **dict(request.metadata))
        params = {
            "mode": request.mode,
            "customer": request.customer_id,
            "client_reference_id": request.client_reference,
            "success_url": request.success_url,
            "cancel_url": request.cancel_url,
            "metadata": metadata,
            **_of_mode(request, metadata),
        }
        return wire.checkout(await self._post("/v1/checkout/sessions", operation.key, params))

    async def fetch_checkout(self, checkout_id: str) -> CheckoutState:
        """See the port."""
        return wire.checkout(await self._read(f"/v1/checkout/sessions/{checkout_id}"))

    async def expire_checkout(self, operation: Operation, checkout_id: str) -> CheckoutState:
        """See the port."""
        return wire.checkout(await self._post(f"/v1/checkout/sessions/{checkout_id}/expire", operation.key, {}))

    async def create_portal(self, operation: Operation, customer_id: str, return_url: str) -> str:
        """See the port."""
        params = {"customer": customer_id, "return_url": return_url}
        return (await self._post("/v1/billing_portal/sessions", operation.key, params)).text("url")

    async def list_cards(self, customer_id: str) -> Sequence[Card]:
        """See the port."""
        default = await self._default_card(customer_id)
        methods = [each async for each in self._pages("/v1/payment_methods", customer=customer_id, type="card")]
        return [wire.card(each.text("id"), each.sub("card"), is_default=each.text("id") == default) for each in methods]

    async def _default_card(self, customer_id: str) -> str | None:
        """The customer's default card, or the one of a subscription: that is where a checkout puts it."""
        customer = await self._read(f"/v1/customers/{customer_id}")
        if customer.has("deleted"):
            raise Missing("resource_missing")
        settings = customer.maybe_sub("invoice_settings")
        default = settings.maybe_ref("default_payment_method") if settings else None
        if default is None:
            async for each in self._pages("/v1/subscriptions", customer=customer_id):
                default = default or each.maybe_ref("default_payment_method")
        return default

    async def set_default_card(self, operation: Operation, customer_id: str, card_id: str) -> None:
        """See the port. Subscriptions have a card of their own, which goes before the customer's."""
        settings = {"invoice_settings": {"default_payment_method": card_id}}
        await self._post(f"/v1/customers/{customer_id}", operation.key, settings)
        with half_done():
            async for each in self._pages("/v1/subscriptions", customer=customer_id):
                if each.maybe_ref("default_payment_method") not in (None, card_id):
                    key = f"{operation.key}:{each.text('id')}"
                    await self._post(f"/v1/subscriptions/{each.text('id')}", key, {"default_payment_method": card_id})

    async def remove_card(self, operation: Operation, card_id: str) -> None:
        """See the port."""
        await self._post(f"/v1/payment_methods/{card_id}/detach", operation.key, {})


def _of_mode(request: CheckoutRequest, metadata: dict[str, str]) -> dict[str, object]:
    """What depends on the mode; what the checkout makes has the same metadata as the checkout."""
    if request.mode == "setup":
        return {"currency": request.currency, "setup_intent_data": {"metadata": metadata}}
    lines = [{"price": each.price_id, "quantity": each.quantity} for each in request.lines]
    discounts = [{"coupon": request.coupon_id}] if request.coupon_id else None
    common = {"line_items": lines, "discounts": discounts}
    if request.mode == "payment":
        return {**common, "payment_intent_data": {"metadata": metadata}}
    trial = request.trial_days or None
    return {**common, "subscription_data": {"metadata": metadata, "trial_period_days": trial}}
