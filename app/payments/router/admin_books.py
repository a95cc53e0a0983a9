"""Routes of the books' upkeep: events that wait, reconciliation. For operators."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.core.errors import NotFound
from app.payments.errors import InboxEventNotFound, PaymentsOff
from app.payments.policy import as_operator, require_operator
from app.payments.providers.registry import needed_provider
from app.payments.router.access import Reader, Writer
from app.payments.schemas.admin_books import (
    DifferenceFound,
    OpenDifference,
    OpenDifferences,
    ReconciliationRead,
    ReconciliationStart,
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


@router.post("/reconciliations", responses=problems(NotFound, PaymentsOff))
async def reconcile(data: ReconciliationStart, principal: Writer, session: SessionDep) -> ReconciliationRead:
    """Compare our books with the provider's now, heal what can be healed, and say what is left. For operators."""
    await require_operator(session, principal)
    await session.commit()  # the provider is asked outside any transaction
    report = await reconciliation.reconcile(needed_provider(), data.depth)
    return ReconciliationRead(
        depth=report.depth,
        compared=report.compared,
        events_added=report.events_added,
        healed=report.healed,
        differences=[DifferenceFound.model_validate(found) for found in report.differences],
    )


@router.get("/differences", responses=problems(NotFound))
async def list_differences(principal: Reader, session: SessionDep) -> OpenDifferences:
    """List what is not as the provider has it. For operators."""
    async with as_operator(session, principal):
        found = await reconciliation.list_differences(session)
        return OpenDifferences(items=[OpenDifference.model_validate(each) for each in found])
