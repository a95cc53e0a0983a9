"""Routes of the books' upkeep: events that wait, reconciliation. For operators."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.core.errors import NotFound
from app.payments.errors import InboxEventNotFound, PaymentsOff, ReconciliationNotFound
from app.payments.policy import as_operator
from app.payments.providers.registry import needed_provider
from app.payments.router.access import Reader, Writer
from app.payments.schemas.admin_books import (
    OpenDifference,
    OpenDifferences,
    ReconciliationRead,
    Reconciliations,
    ReconciliationStart,
    ReconciliationStarted,
    WaitingEvent,
    WaitingEvents,
)
from app.payments.services import inbox, reconciliation

router = Router(prefix="/admin")


@router.get("/events", responses=problems(NotFound))
async def list_waiting_events(
    principal: Reader, session: SessionDep, dead: Annotated[bool, Query(description="Those given up.")] = True
) -> WaitingEvents:
    """List events of the provider that are not handled: given up, or still tried. For operators."""
    async with as_operator(session, principal):
        events = await inbox.list_waiting(session, dead=dead)
        return WaitingEvents(items=[WaitingEvent.model_validate(event) for event in events])


@router.post("/events/{event_id}/replay", status_code=204, responses=problems(NotFound, InboxEventNotFound))
async def replay_event(event_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Handle an event again, as if it had just come. For operators."""
    async with as_operator(session, principal):
        await inbox.replay(session, event_id)


@router.post("/reconciliations", status_code=202, responses=problems(NotFound, PaymentsOff))
async def reconcile(data: ReconciliationStart, principal: Writer, session: SessionDep) -> ReconciliationStarted:
    """Have our books compared with the provider's and healed where that can be done. For operators.

    One that waits or runs already is joined.
    """
    async with as_operator(session, principal):
        needed_provider()
        run_id, job_id = await reconciliation.ask_for(session, data.depth, principal.user_id)
        return ReconciliationStarted(id=run_id, job_id=job_id)


@router.get("/reconciliations", responses=problems(NotFound))
async def list_reconciliations(principal: Reader, session: SessionDep) -> Reconciliations:
    """List the newest comparisons of the books that ended. For operators."""
    async with as_operator(session, principal):
        runs = await reconciliation.list_runs(session)
        return Reconciliations(items=[ReconciliationRead.model_validate(run) for run in runs])


@router.get("/reconciliations/{reconciliation_id}", responses=problems(NotFound, ReconciliationNotFound))
async def read_reconciliation(reconciliation_id: UUID, principal: Reader, session: SessionDep) -> ReconciliationRead:
    """Read what one comparison saw and did, once its job has ended. For operators."""
    async with as_operator(session, principal):
        return ReconciliationRead.model_validate(await reconciliation.read_run(session, reconciliation_id))


@router.get("/differences", responses=problems(NotFound))
async def list_differences(principal: Reader, session: SessionDep) -> OpenDifferences:
    """List what is not as the provider has it. For operators."""
    async with as_operator(session, principal):
        found = await reconciliation.list_differences(session)
        return OpenDifferences(items=[OpenDifference.model_validate(each) for each in found])
