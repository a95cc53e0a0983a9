"""The simulator as an ASGI application: `create_simulator(path, secret_key=…, …)`, or `python -m app.payments.sim`.

What stands, by paths of the API (form-encoded, as the official SDK sends it):

- `/v1/customers`, `payment_methods`, `setup_intents`, `payment_intents`, `charges`, `refunds`, `disputes`
- `/v1/products`, `prices`, `coupons`, `promotion_codes`, `tax_rates`
- `/v1/checkout/sessions`, `billing_portal/sessions`
- `/v1/subscriptions`, `subscription_items` (list), `subscription_schedules`
- `/v1/invoices` (with `create_preview`, `pay`, `void`, …), `invoiceitems`, `invoice_payments`
- `/v1/balance`, `balance_transactions`, `payouts`, `events`, `test_helpers/test_clocks`

What only a simulator has is below `/_sim` (see `control.py`): `clock`, `faults`, `rules`, `webhook`, `deliveries`,
`disputes`, `customers/{id}/decline_next`, `checkout/{id}/complete`, `intents/{id}/authenticate`, `reset`.
Pages for people: `/pay/{checkout}`, `/authenticate/{client secret}`, `/portal/{token}`, `/invoice/{token}`; every test
card that they offer, and more, is in `engine/cards.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route

from app.payments.sim.api import Api
from app.payments.sim.clock import Clock
from app.payments.sim.control import Control
from app.payments.sim.core.setup import Setup
from app.payments.sim.core.store import Store
from app.payments.sim.deliveries import Deliveries
from app.payments.sim.pages.routes import page_routes

LIVE_KEYS = ("sk_live_", "rk_live_")
METHODS = ["GET", "POST", "DELETE"]


class SimulatorRefused(Exception):
    """The simulator won't start here; the message says why."""


def check_fence(environment: str, keys: Iterable[str]) -> None:
    """Keep the simulator away from real money. Raises `SimulatorRefused`."""
    if environment == "production":
        raise SimulatorRefused("The payment simulator does not run in production: nobody would be charged.")
    if any(key.strip().startswith(LIVE_KEYS) for key in keys):
        raise SimulatorRefused(
            "A live Stripe key is set, so the payment simulator does not start: real and simulated money must not meet."
        )


def create_simulator(
    path: Path | None,
    *,
    secret_key: str,
    public_url: str,
    webhook_url: str = "",
    webhook_secret: str = "",
    environment: str = "development",
    other_keys: Iterable[str] = (),
) -> Starlette:
    """A simulator over a file, or in memory for None. Raises `SimulatorRefused`.

    `public_url` is where its pages are reached; `other_keys` are payment keys that are set beside it.
    """
    check_fence(environment, [secret_key, *other_keys])
    if len(secret_key) < 16:
        raise SimulatorRefused("The key of the payment simulator must have at least 16 characters.")
    given = Setup(secret_key, public_url.rstrip("/"), webhook_url, webhook_secret)
    store = Store(path, given)
    deliveries = Deliveries(store)
    clock = Clock(store, deliveries)
    api = Api(store, clock, deliveries)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(clock.run()), asyncio.create_task(deliveries.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            store.close()

    control = Control(store, clock, deliveries, api)
    routes = [Route("/v1/{path:path}", api.answer, methods=METHODS), *control.routes(), *page_routes(store, clock)]
    return Starlette(routes=routes, lifespan=lifespan)
