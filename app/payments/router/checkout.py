"""Routes of checkouts and of the provider's portal."""

from typing import Final
from uuid import UUID

from fastapi import Response
from starlette.responses import HTMLResponse

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.core.clock import new_id
from app.payments.errors import (
    CheckoutNotFound,
    CouponNotForThis,
    CouponNotFound,
    CouponUsedUp,
    NoSubscription,
    PriceNotFound,
    SubscriptionExists,
    TooManySeats,
    UrlNotAllowed,
    VerifyEmailFirst,
)
from app.payments.router.access import Reader, Writer
from app.payments.router.outgoing import ASKING, COMMANDING, PENDING, let_go, pending
from app.payments.schemas.checkout import CheckoutCreate, CheckoutRead
from app.payments.schemas.subscription import PortalCreate, PortalRead
from app.payments.services import checkout, portal

DONE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>LifeVault</title></head>
<body><main><h1>Thank you</h1><p>You can close this page and go back to LifeVault.
Your plan changes as soon as the payment has arrived, which usually takes a few seconds.</p></main></body></html>
"""
BUYING: Final = (PriceNotFound, TooManySeats, SubscriptionExists, CouponNotFound, CouponNotForThis, CouponUsedUp)
LOCATION: Final = {"Location": {"description": "The path of the checkout.", "schema": {"type": "string"}}}

router = Router()


@router.post(
    "/checkout",
    status_code=201,
    response_model=CheckoutRead,
    responses={
        201: {"headers": LOCATION},
        **PENDING,
        **problems(*BUYING, UrlNotAllowed, VerifyEmailFirst, *COMMANDING),
    },
)
@idempotent(required=True)
async def create_checkout(
    data: CheckoutCreate, principal: Writer, response: Response, cause: UUID
) -> CheckoutRead | Response:
    """Begin to buy a plan or a pack of credits: answer with the page where it is paid.

    Only for the person who pays for the family. A family has one subscription; what changes it is
    `POST /v1/payments/subscription/change`. An earlier checkout for the same purpose is closed. What was paid counts
    when the provider says so, not when the person comes back.
    """
    outcome = await checkout.create_checkout(principal, data, cause)
    if waiting := pending(outcome):
        return waiting
    made = await checkout.read_checkout(principal, operation_id=outcome.operation_id)
    response.headers["Location"] = f"/v1/payments/checkout/{made.id}"
    return made


@router.get("/checkout/done", include_in_schema=False, response_class=HTMLResponse)
async def show_end_of_checkout() -> HTMLResponse:
    """Thank whoever comes back from a checkout that named no page of its own."""
    return HTMLResponse(DONE)


@router.get("/checkout/{checkout_id}", responses=problems(CheckoutNotFound, *ASKING))
async def read_checkout(checkout_id: UUID, principal: Reader, session: SessionDep) -> CheckoutRead:
    """See how far a checkout is; what has changed at the provider is fetched."""
    await let_go(session)
    return await checkout.read_checkout(principal, checkout_id)


@router.post("/portal", responses=problems(NoSubscription, UrlNotAllowed, *ASKING))
async def open_portal(data: PortalCreate, principal: Writer, session: SessionDep) -> PortalRead:
    """Get a link to the provider's own portal, for whoever has paid before."""
    await let_go(session)
    return PortalRead(url=await portal.open_portal(principal, data.return_url, new_id()))
