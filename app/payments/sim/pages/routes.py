"""The addresses of the pages."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.payments.sim.clock import Clock
from app.payments.sim.core.errors import SimError
from app.payments.sim.core.store import Store
from app.payments.sim.pages.account import AccountPages
from app.payments.sim.pages.checkout import CheckoutPages
from app.payments.sim.pages.shell import check_host, message

Endpoint = Callable[[Request], Awaitable[Response]]


def page_routes(store: Store, clock: Clock) -> list[Route]:
    """All pages."""
    checkout, account = CheckoutPages(store, clock), AccountPages(store, clock)
    pages: list[tuple[str, Endpoint, Endpoint | None]] = [
        ("/", _welcome(store), None),
        ("/pay/{id}", checkout.show, checkout.submit),
        ("/pay/{id}/verify", checkout.show_challenge, checkout.answer_challenge),
        ("/pay/{id}/done", checkout.done, None),
        ("/portal/{token}", account.show_portal, account.change_portal),
        ("/invoice/{token}", account.show_invoice, account.pay_invoice),
        ("/authenticate/{secret}", account.show_challenge, account.answer_challenge),
    ]
    routes = [Route(path, _guarded(store, show), methods=["GET"]) for path, show, _ in pages]
    routes += [Route(path, _guarded(store, send), methods=["POST"]) for path, _, send in pages if send is not None]
    return routes


def _guarded(store: Store, endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            check_host(request, store)
            return await endpoint(request)
        except SimError as error:
            heading = "Not found" if error.status == 404 else "That did not work"
            text = "This page is not there." if error.status == 404 else error.message
            return message(request, store, heading, text, status=error.status)

    return answer


def _welcome(store: Store) -> Endpoint:
    async def welcome(request: Request) -> Response:
        text = "The payment simulator of LifeVault runs here. Its pages are opened by a checkout."
        return message(request, store, "Payment simulator", text)

    return welcome
