"""Subscriptions: changes now and at the end of the period, cancelling, pausing, coupons.

What is so already is not asked for again: a repetition after the provider has forgotten its key does no harm either.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from app.payments.providers import wire, wire_money
from app.payments.providers.caller import half_done
from app.payments.providers.customers import Customers
from app.payments.providers.fields import Fields
from app.payments.providers.invoice_lines import InvoiceLines
from app.payments.providers.port import Line, Missing, Operation, Preview, Refused, SubscriptionState

EXPAND: Final = {"expand": ["discounts", "schedule"]}
LISTED: Final = {"expand": ["data.discounts"], "status": "all"}


class Subscriptions(InvoiceLines, Customers):
    """What people are subscribed to."""

    async def fetch_subscription(self, subscription_id: str) -> SubscriptionState:
        """See the port."""
        return await self._state(await self._fetch(subscription_id))

    async def list_subscriptions(self, customer_id: str | None = None) -> AsyncIterator[SubscriptionState]:
        """See the port."""
        async for raw in self._pages("/v1/subscriptions", customer=customer_id, **LISTED):
            yield await (self.fetch_subscription(raw.text("id")) if raw.has("schedule") else self._state(raw))

    async def _fetch(self, subscription_id: str) -> Fields:
        return await self._read(_path(subscription_id), **EXPAND)

    async def _state(self, raw: Fields) -> SubscriptionState:
        schedule = raw.maybe_sub("schedule")
        phase = wire.next_phase(schedule) if schedule else None
        if phase is None:
            return wire.subscription(raw, ())
        known = await self._lookup_keys({each.ref("price") for each in phase.rows("items")})
        return wire.subscription(raw, wire.phase_lines(phase, known.__getitem__))

    async def _update(self, key: str, subscription_id: str, params: dict[str, Any]) -> SubscriptionState:
        changed = await self._post(_path(subscription_id), key, {**params, **EXPAND})
        with half_done():
            return await self._state(changed)

    async def preview_change(self, subscription_id: str, lines: Sequence[Line], at: datetime) -> Preview:
        """See the port. No change costs nothing."""
        raw = await self._fetch(subscription_id)
        items = await self._state(raw)
        if _is_so(items, lines):
            return Preview((), raw.text("currency"), 0, 0, 0, 0, 0, at)
        changes = {"items": _items(items, lines), **_proration(at)}
        params = {"subscription": subscription_id, "subscription_details": changes}
        preview = await self._ask("post", "/v1/invoices/create_preview", params, None)
        found = await self._lines_of(preview)
        return wire_money.preview(preview, found, await self._lookup_of(found), at)

    async def change_subscription(
        self, operation: Operation, subscription_id: str, lines: Sequence[Line], at: datetime
    ) -> SubscriptionState:
        """See the port. What was planned for the end of the period is dropped once the change is made."""
        state = await self.fetch_subscription(subscription_id)
        if not _is_so(state, lines):
            all_or_nothing = {"payment_behavior": "error_if_incomplete"}
            params = {"items": _items(state, lines), **_proration(at), **all_or_nothing}
            state = await self._update(operation.key, subscription_id, params)
        with half_done():
            return await self._release(operation, state)

    async def schedule_change(
        self, operation: Operation, subscription_id: str, lines: Sequence[Line]
    ) -> SubscriptionState:
        """See the port."""
        raw = await self._fetch(subscription_id)
        schedule = raw.maybe_sub("schedule")
        if schedule is None:
            from_subscription = {"from_subscription": subscription_id}
            schedule = await self._post("/v1/subscription_schedules", f"{operation.key}:plan", from_subscription)
        planned = wire.next_phase(schedule)
        with half_done():
            if planned is None or _pairs(planned) != [(each.price_id, each.quantity) for each in lines]:
                params = await self._plan(operation, schedule, lines)
                await self._post(f"/v1/subscription_schedules/{schedule.text('id')}", operation.key, params)
            return await self.fetch_subscription(subscription_id)

    async def _plan(self, operation: Operation, schedule: Fields, lines: Sequence[Line]) -> dict[str, Any]:
        """The current phase as it is, and one period of the new lines, which then go on without a schedule."""
        current = _current_phase(schedule)
        kept = _kept(current)
        price = await self._price(lines[0].price_id)
        following = {
            "items": [{"price": each.price_id, "quantity": each.quantity} for each in lines],
            "duration": {"interval": price.interval, "interval_count": 1},
            "proration_behavior": "none",
            "discounts": kept["discounts"],
            "default_tax_rates": kept["default_tax_rates"],
        }
        return {
            "phases": [kept, following],
            "end_behavior": "release",
            "proration_behavior": "none",
            "metadata": {wire.OPERATION: str(operation.id)},
        }

    async def unschedule_change(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """See the port. Nothing planned is no error."""
        return await self._release(operation, await self.fetch_subscription(subscription_id))

    async def _release(self, operation: Operation, state: SubscriptionState) -> SubscriptionState:
        if state.schedule_id is None:
            return state
        path = f"/v1/subscription_schedules/{state.schedule_id}/release"
        await self._post(path, f"{operation.key}:release", {})
        with half_done():
            return await self.fetch_subscription(state.id)

    async def cancel_subscription(
        self, operation: Operation, subscription_id: str, *, at_period_end: bool
    ) -> SubscriptionState:
        """See the port. What was planned for the end of the period is dropped."""
        if at_period_end:
            state = await self._release(operation, await self.fetch_subscription(subscription_id))
            if state.cancel_at_period_end:
                return state
            with half_done():
                return await self._update(operation.key, subscription_id, {"cancel_at_period_end": True})
        try:
            await self._delete(_path(subscription_id), operation.key)
        except (Missing, Refused):
            with half_done():
                state = await self.fetch_subscription(subscription_id)
            if state.status != "canceled":
                raise
            return state
        with half_done():
            return await self.fetch_subscription(subscription_id)

    async def resume_subscription(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """See the port. Nothing to take back is no error."""
        state = await self.fetch_subscription(subscription_id)
        params: dict[str, Any] = {"cancel_at_period_end": False} if state.cancel_at_period_end else {}
        params |= {"pause_collection": ""} if state.is_paused else {}
        return await self._update(operation.key, subscription_id, params) if params else state

    async def pause_subscription(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """See the port."""
        return await self._update(operation.key, subscription_id, {"pause_collection": {"behavior": "void"}})

    async def end_trial(self, operation: Operation, subscription_id: str) -> SubscriptionState:
        """See the port."""
        state = await self.fetch_subscription(subscription_id)
        if state.status != "trialing":
            return state
        return await self._update(operation.key, subscription_id, {"trial_end": "now"})

    async def apply_coupon(self, operation: Operation, subscription_id: str, coupon_id: str) -> SubscriptionState:
        """See the port. Other coupons stay; the same one again is no error."""
        raw = await self._fetch(subscription_id)
        state = await self._state(raw)
        if coupon_id in state.discount_coupon_ids:
            return state
        others = [{"discount": each.text("id")} for each in raw.maybe_rows("discounts")]
        return await self._update(operation.key, subscription_id, {"discounts": [*others, {"coupon": coupon_id}]})


def _path(subscription_id: str) -> str:
    return f"/v1/subscriptions/{subscription_id}"


def _is_so(state: SubscriptionState, lines: Sequence[Line]) -> bool:
    wanted = sorted((each.price_id, each.quantity) for each in lines)
    return sorted((each.price_id, each.quantity) for each in state.items) == wanted


def _items(state: SubscriptionState, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """How the items become these lines: the same price keeps its item, then any other item takes what is left.

    Asked again after it was done, it says the same of items that were there before.
    """
    free = {each.price_id: each.id for each in state.items}
    kept = {each.price_id: free.pop(each.price_id) for each in lines if each.price_id in free}
    spare = list(free.values())
    changed = []
    for line in lines:
        item_id = kept.get(line.price_id) or (spare.pop(0) if spare else None)
        changed.append({"id": item_id, "price": line.price_id, "quantity": line.quantity})
    return [*changed, *({"id": each, "deleted": True} for each in spare)]


def _proration(at: datetime) -> dict[str, Any]:
    return {"proration_behavior": "always_invoice", "proration_date": int(at.timestamp())}


def _pairs(phase: Fields) -> list[tuple[str, int]]:
    return [(each.ref("price"), each.whole("quantity")) for each in phase.rows("items")]


def _current_phase(schedule: Fields) -> Fields:
    start = schedule.sub("current_phase").whole("start_date")
    return next(each for each in schedule.rows("phases") if each.whole("start_date") == start)


def _discount(raw: Fields) -> dict[str, str]:
    kind = "discount" if raw.has("discount") else "coupon"
    return {kind: raw.ref(kind)}


def _kept(phase: Fields) -> dict[str, Any]:
    """A phase as it has to be said again, to stay as it is."""
    discounts = [_discount(each) for each in phase.maybe_rows("discounts")]
    return {
        "items": [{"price": price_id, "quantity": quantity} for price_id, quantity in _pairs(phase)],
        "start_date": phase.whole("start_date"),
        "end_date": phase.whole("end_date"),
        "trial_end": phase.maybe_whole("trial_end"),
        "discounts": discounts or None,
        "default_tax_rates": [each.text("id") for each in phase.maybe_rows("default_tax_rates")] or None,
        "proration_behavior": "none",
    }
