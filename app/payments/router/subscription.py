"""Routes of the subscription."""

from typing import Final
from uuid import UUID

from fastapi import Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.payments.errors import (
    CancellationPending,
    NoSubscription,
    NothingToChange,
    NotThePayer,
    PreviewTooOld,
    PriceNotFound,
    SubscriptionNotPaid,
    SubscriptionPaused,
    TooManySeats,
)
from app.payments.router.access import Reader, Writer
from app.payments.router.outgoing import COMMANDING, PAYING, PENDING, let_go, pending
from app.payments.schemas.subscription import (
    PreviewLine,
    PreviewRead,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPreview,
    SubscriptionState,
)
from app.payments.services import standing, subscriptions
from app.payments.services.commands import Outcome
from app.payments.services.subscriptions import Quote, Wanted

CHANGING: Final = (
    NoSubscription,
    NothingToChange,
    PriceNotFound,
    TooManySeats,
    SubscriptionNotPaid,
    SubscriptionPaused,
    CancellationPending,
)
SUMS: Final = ("subtotal_cents", "discount_cents", "tax_cents", "total_cents", "due_cents")

router = Router(prefix="/subscription")


async def _state(principal: Principal, outcome: Outcome) -> SubscriptionState | Response:
    return pending(outcome) or await standing.read_subscription(principal)


@router.get("", responses=problems(NotThePayer))
async def read_subscription(principal: Reader, session: SessionDep) -> SubscriptionState:
    """See your plan and the subscription that pays for it. Only for the person who pays."""
    await let_go(session)
    return await standing.read_subscription(principal)


@router.post("/preview", responses=problems(*CHANGING, *COMMANDING))
async def preview_subscription(data: SubscriptionPreview, principal: Writer, session: SessionDep) -> PreviewRead:
    """See what a change would cost, to the cent. Nothing is changed.

    More (a larger plan, further seats, a longer interval) takes effect now, and the rest of the period is charged. Less
    takes effect at the end of the period, and costs nothing now.
    """
    await let_go(session)
    wanted = Wanted(data.plan, data.interval, data.seats)
    return _shown(await subscriptions.preview_change(principal, wanted))


def _shown(quote: Quote) -> PreviewRead:
    change, preview = quote.change, quote.preview
    return PreviewRead.model_validate(
        {
            "effect": change.effect,
            "effective_at": preview.at if preview else change.subscription.period_end,
            "at": preview.at if preview else None,
            "valid_until": quote.valid_until,
            "currency": change.offer.lines[0][0].currency,
            "lines": [PreviewLine.model_validate(line) for line in preview.lines] if preview else [],
            **{name: getattr(preview, name) if preview else 0 for name in SUMS},
            "renewal_cents": change.offer.total_cents,
        }
    )


@router.post(
    "/change",
    response_model=SubscriptionState,
    responses={**PENDING, **problems(*CHANGING, PreviewTooOld, *PAYING)},
)
@idempotent(required=True)
async def change_subscription(data: SubscriptionChange, principal: Writer, cause: UUID) -> SubscriptionState | Response:
    """Change the plan, the interval or the seats. With `at` of a preview, what it said is charged, to the cent.

    A preview is valid for 15 minutes. If the card is declined, everything stays as it was.
    """
    wanted = Wanted(data.plan, data.interval, data.seats)
    return await _state(principal, await subscriptions.change(principal, wanted, data.at, cause))


@router.post(
    "/cancel",
    response_model=SubscriptionState,
    responses={**PENDING, **problems(NoSubscription, NothingToChange, *COMMANDING)},
)
@idempotent(required=True)
async def cancel_subscription(data: SubscriptionCancel, principal: Writer, cause: UUID) -> SubscriptionState | Response:
    """End the subscription with its period, or now. Whatever is stored stays readable, on the free plan."""
    outcome = await subscriptions.cancel(principal, at_period_end=data.at_period_end, cause=cause)
    return await _state(principal, outcome)


@router.post(
    "/resume",
    response_model=SubscriptionState,
    responses={**PENDING, **problems(NoSubscription, NothingToChange, *PAYING)},
)
@idempotent(required=True)
async def resume_subscription(principal: Writer, cause: UUID) -> SubscriptionState | Response:
    """Take back a cancellation that has not taken effect, or end a pause."""
    return await _state(principal, await subscriptions.resume(principal, cause))


@router.post(
    "/pause",
    response_model=SubscriptionState,
    responses={**PENDING, **problems(NoSubscription, NothingToChange, *COMMANDING)},
)
@idempotent(required=True)
async def pause_subscription(principal: Writer, cause: UUID) -> SubscriptionState | Response:
    """Stop paying until it is resumed; the plan counts to the end of what is paid."""
    return await _state(principal, await subscriptions.pause(principal, cause))


@router.post(
    "/unplan",
    response_model=SubscriptionState,
    responses={**PENDING, **problems(NoSubscription, NothingToChange, *COMMANDING)},
)
@idempotent(required=True)
async def unplan_subscription(principal: Writer, cause: UUID) -> SubscriptionState | Response:
    """Drop the change that is planned for the end of the period."""
    return await _state(principal, await subscriptions.unplan(principal, cause))
