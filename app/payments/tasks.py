"""Background work of payments."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from app.core.tasks import task
from app.db.runtime import current
from app.db.session import session_scope
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun, create_job, has_queued_job
from app.payments.errors import PaymentsOff, ProviderUnreachable
from app.payments.providers.registry import current_provider
from app.payments.services import (
    buyers,
    cards,
    checkout,
    credits,
    disputes,
    inbox,
    invoices,
    letters,
    reconciliation,
    refunds,
    resolving,
    revenue,
    seats,
    subscriptions,
    trials,
)

LONGEST_DRAIN_ROUNDS = 50
COMMANDS = (buyers, cards, checkout, disputes, invoices, refunds, subscriptions, trials)  # each registers its kinds


@task(inbox.DRAIN_JOB)
async def drain_inbox(run: JobRun) -> None:
    """Handle events of the provider until none is due; a long backlog goes on in another job."""
    provider = current_provider()
    if provider is None:
        return
    for _ in range(LONGEST_DRAIN_ROUNDS):
        if not await inbox.drain(provider):
            return
    async with run.scope() as session:
        await create_job(session, inbox.DRAIN_JOB)
        await run.finish(session)


@task("payments.forget_plan", on="payments.subscription_changed")
async def forget_plan(family_id: str, **_: object) -> None:
    """Drop what is remembered of a family's plan. Raises `CacheAway`, and is tried again."""
    await current().cache.forget(f"family:{family_id}")


@task("payments.forget_granted_plan", on="payments.plan_granted")
async def forget_granted_plan(family_id: str) -> None:
    """As `forget_plan`."""
    await current().cache.forget(f"family:{family_id}")


@task("payments.forget_account", on="auth.account_deleted")
async def forget_account(user_id: str, **_: object) -> None:
    """Drop what is remembered of somebody who is gone. Raises `CacheAway`, and is tried again."""
    await current().cache.forget(f"user:{user_id}")


@task("payments.look_into_inbox", every=timedelta(seconds=15))
async def look_into_inbox() -> None:
    """See that events are handled that nobody was told of, or that are to be tried again."""
    async with session_scope() as session:
        if await inbox.due(session) and not await has_queued_job(session, inbox.DRAIN_JOB):
            await create_job(session, inbox.DRAIN_JOB)


@task("payments.forget_events", every=timedelta(days=1))
async def forget_events() -> int:
    """Delete events that were handled long ago; returns how many."""
    async with session_scope() as session:
        return await inbox.forget_old(session, days=60)


@task("payments.reconcile", every=timedelta(hours=1))
async def reconcile() -> None:
    """Compare our books with the provider's since the last time."""
    provider = current_provider()
    if provider is not None:
        await reconciliation.reconcile(provider, "light")


@task("payments.reconcile_all", every=timedelta(days=1))
async def reconcile_all() -> None:
    """Compare all our books with the provider's."""
    provider = current_provider()
    if provider is not None:
        await reconciliation.reconcile(provider, "deep")


@task(reconciliation.RECONCILE_JOB)
async def reconcile_on_demand(run: JobRun) -> None:
    """Compare the books because an operator asked; the run's id is the job's subject."""
    provider = current_provider()
    if provider is None or run.subject_id is None:
        raise JobFailed("payments-off", PaymentsOff.title)
    async with session_scope() as session:
        done = await reconciliation.was_run(session, run.subject_id)
    if not done:  # an earlier try may have ended before it could say so
        await reconciliation.reconcile(provider, run.payload["depth"], run.subject_id)


@task("payments.write_receipt", on="payments.invoice_paid")
async def write_receipt(family_id: str, invoice_id: str) -> None:
    """Tell the payer that an invoice was paid."""
    async with session_scope() as session:
        await letters.write_receipt(session, UUID(family_id), UUID(invoice_id))


@task("payments.write_failure", on="payments.payment_failed")
async def write_failure(family_id: str, payment_id: str) -> None:
    """Tell the payer that a payment did not work."""
    async with session_scope() as session:
        await letters.write_failure(session, UUID(family_id), UUID(payment_id))


@task("payments.write_refund", on="payments.refunded")
async def write_refund(family_id: str, refund_id: str) -> None:
    """Tell the payer that money goes back."""
    async with session_scope() as session:
        await letters.write_refund(session, UUID(family_id), UUID(refund_id))


@task("payments.write_change", on="payments.subscription_changed")
async def write_change(family_id: str, subscription_id: str, before: str, after: str) -> None:  # noqa: ARG001 (the event has it)
    """Tell the payer that a plan could not be renewed, or has ended."""
    async with session_scope() as session:
        await letters.write_change(session, UUID(family_id), UUID(subscription_id), after)


@task("payments.release_credits", every=timedelta(minutes=1))
async def release_credits() -> int:
    """Release credits that are held by nobody any more, and end lots whose time is over; returns how many."""
    async with session_scope() as session:
        released = await credits.release_expired(session)
        ended = await credits.families_with_ended_lots(session)
    for family_id in ended:
        async with session_scope() as session:
            await credits.end_lots(session, family_id)
    return released + len(ended)


@task("payments.recognise_revenue", every=timedelta(hours=1))
async def recognise_revenue() -> int:
    """Post what was earned on the days that are over, also on those that were missed; returns how many invoices."""
    invoices = 0
    while True:
        async with session_scope() as session:
            done = await revenue.recognise(session)
        invoices += done
        if not done:
            break
    async with session_scope() as session:
        await revenue.recognise_credits(session)
    return invoices


@task("payments.close_family", on="auth.account_deleted")
async def close_family(user_id: str) -> None:
    """Let a deleted account out of its family, and its own family go."""
    async with session_scope() as session:
        await seats.close_family(session, UUID(user_id))


@task("payments.end_with_family", on="payments.family_closed")
async def end_with_family(family_id: str) -> None:
    """End what a closed family pays for, and let the provider forget it; what is not reached now is sent later."""
    provider = current_provider()
    if provider is not None:
        for step in (subscriptions.end_for_family, buyers.forget):
            with suppress(ProviderUnreachable):
                await step(provider, UUID(family_id))


@task("payments.resolve_operations", every=timedelta(seconds=15))
async def resolve_operations() -> int:
    """Go on with what the provider was asked for and has not answered; returns how much was due."""
    provider = current_provider()
    return await resolving.resolve_due(provider) if provider else 0


@task("payments.note_trial", on="payments.checkout_completed")
async def note_trial(family_id: str, checkout_id: str) -> None:
    """See that a family, and a card, has one trial."""
    provider = current_provider()
    if provider is not None:
        await trials.note_trial(provider, UUID(family_id), UUID(checkout_id))


@task("payments.follow_profile", on="auth.profile_changed")
async def follow_profile(user_id: str) -> None:
    """Tell the provider what a payer is called now."""
    provider = current_provider()
    if provider is not None:
        await buyers.follow_profile(provider, UUID(user_id))
