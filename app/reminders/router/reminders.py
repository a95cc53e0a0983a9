"""Routes of reminders."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from app.api.conditional import LISTED, NOT_MODIFIED, TAGGED, IfNoneMatch, unless_same
from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import InvalidCursor, Limit, PlaceCursor, cursor_of_place, parse_place
from app.api.problems import problems
from app.api.routes import Router
from app.reminders import service
from app.reminders.errors import (
    DateInRecord,
    InvalidSchedule,
    NotActive,
    NotAhead,
    NotDone,
    NotProposed,
    NotShared,
    ReminderNotFound,
    TooManyReminders,
)
from app.reminders.router.access import Reader, Writer
from app.reminders.schemas import (
    DoneRequest,
    ReminderCreate,
    ReminderPage,
    ReminderRead,
    ReminderUpdate,
    Shown,
    SnoozeFor,
    SnoozeUntil,
)
from app.vault.errors import (
    ContentDamaged,
    ItemNotFound,
    MemberNotFound,
    RoleTooLow,
    StaleRevision,
    VaultNotFound,
    VaultSealed,
)
from app.vault.router.access import MADE, IfMatch, tag, unless_known

InVault = Annotated[UUID | None, Query(description="Only those of this vault.")]
Show = Annotated[
    Shown,
    Query(
        alias="state",
        description="`open` is `overdue` and `upcoming` together; `proposed` waits for your decision.",
    ),
]
Mine = Annotated[bool, Query(description="Only those that you are told of.")]

router = Router(prefix="/reminders")


@router.post(
    "",
    status_code=201,
    responses={
        201: MADE,
        **problems(
            VaultNotFound,
            VaultSealed,
            ItemNotFound,
            MemberNotFound,
            RoleTooLow,
            NotShared,
            TooManyReminders,
            InvalidSchedule,
        ),
    },
)
@idempotent()
async def create_reminder(
    data: ReminderCreate, principal: Writer, session: SessionDep, response: Response
) -> ReminderRead:
    """Make a reminder: of a day, or of a time in a zone, once or by a rule.

    In a vault its members see it, and those it is assigned to are told, so many days before as `leads` say.
    """
    reminder = await service.create_reminder(session, principal, data)
    response.headers["Location"] = f"/v1/reminders/{reminder.id}"
    tag(response, reminder.revision)
    return reminder


@router.get(
    "",
    response_model=ReminderPage,
    responses={**LISTED, **problems(VaultNotFound, VaultSealed, InvalidCursor, ContentDamaged)},
)
async def list_reminders(
    principal: Reader,
    session: SessionDep,
    show: Show = "open",
    vault_id: InVault = None,
    mine: Mine = False,
    limit: Limit = 20,
    cursor: PlaceCursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """List your reminders and those of your vaults, in the order in which they are due."""
    filters = service.Filters(show, vault_id, mine, limit, parse_place(cursor))
    items, last = await service.list_reminders(session, principal, filters)
    page = ReminderPage(items=items, next_cursor=cursor_of_place(*last) if last else None)
    return unless_same(page, if_none_match)


@router.get(
    "/{reminder_id:uuid}",
    response_model=ReminderRead,
    responses={200: TAGGED, 304: NOT_MODIFIED, **problems(ReminderNotFound, ContentDamaged)},
)
async def read_reminder(
    reminder_id: UUID, principal: Reader, session: SessionDep, response: Response, if_none_match: IfNoneMatch = None
) -> ReminderRead | Response:
    """Read a reminder."""
    reminder = await service.read_reminder(session, principal, reminder_id)
    return unless_known(reminder, reminder.revision, response, if_none_match)


@router.patch(
    "/{reminder_id:uuid}",
    responses={
        200: TAGGED,
        **problems(
            *(ReminderNotFound, MemberNotFound, RoleTooLow, DateInRecord, NotShared, StaleRevision),
            *(InvalidSchedule, ContentDamaged),
        ),
    },
)
async def update_reminder(
    reminder_id: UUID,
    data: ReminderUpdate,
    principal: Writer,
    session: SessionDep,
    response: Response,
    if_match: IfMatch = None,
) -> ReminderRead:
    """Change a reminder. What is left out stays; null takes away the time, the rule or the assignment.

    The date of one that follows a field of a record is changed there; its lead times, people and notes are yours.
    """
    reminder = await service.update_reminder(session, principal, reminder_id, data, if_match=if_match)
    tag(response, reminder.revision)
    return reminder


@router.delete("/{reminder_id:uuid}", status_code=204, responses=problems(ReminderNotFound, RoleTooLow))
async def delete_reminder(reminder_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Delete a reminder. One that follows a field of a record is dismissed, and can be confirmed again."""
    await service.delete_reminder(session, principal, reminder_id)


@router.post("/{reminder_id:uuid}/done", responses=problems(ReminderNotFound, RoleTooLow, NotActive, ContentDamaged))
@idempotent()
async def complete_reminder(
    reminder_id: UUID, data: DoneRequest, principal: Writer, session: SessionDep
) -> ReminderRead:
    """Say that it is done. One that repeats moves on to the next day on which it is due that is not past."""
    return await service.complete(session, principal, reminder_id, data)


@router.post("/{reminder_id:uuid}/reopen", responses=problems(ReminderNotFound, RoleTooLow, NotDone, ContentDamaged))
async def reopen_reminder(reminder_id: UUID, principal: Writer, session: SessionDep) -> ReminderRead:
    """Take back that it is done."""
    return await service.reopen(session, principal, reminder_id)


@router.post("/{reminder_id:uuid}/snooze", responses=problems(ReminderNotFound, NotActive, NotAhead, ContentDamaged))
async def snooze_reminder(
    reminder_id: UUID, data: SnoozeUntil | SnoozeFor, principal: Writer, session: SessionDep
) -> ReminderRead:
    """Be told again later, and not until then. Others are told as before."""
    return await service.snooze(session, principal, reminder_id, data)


@router.post(
    "/{reminder_id:uuid}/confirm", responses=problems(ReminderNotFound, RoleTooLow, NotProposed, ContentDamaged)
)
async def confirm_reminder(reminder_id: UUID, principal: Writer, session: SessionDep) -> ReminderRead:
    """Accept a reminder that the assistant proposes, or take back one that was dismissed."""
    return await service.confirm(session, principal, reminder_id)


@router.post(
    "/{reminder_id:uuid}/dismiss", responses=problems(ReminderNotFound, RoleTooLow, NotProposed, ContentDamaged)
)
async def dismiss_reminder(reminder_id: UUID, principal: Writer, session: SessionDep) -> ReminderRead:
    """Refuse a reminder that the assistant proposes; it is not proposed again."""
    return await service.dismiss(session, principal, reminder_id)
