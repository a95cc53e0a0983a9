"""Routes of nominees, for whoever names them."""

from uuid import UUID

from fastapi import Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.errors import SessionNeeded, StepUpRequired
from app.nominees import service
from app.nominees.errors import (
    AlreadyNamed,
    CaseIsOpen,
    InvitationAnswered,
    NomineeInUse,
    NomineeNotFound,
    OwnAddress,
    TooManyLetters,
    TooManyNominees,
)
from app.nominees.router.access import MADE, Reader, Writer
from app.nominees.schemas.people import NomineeCreate, NomineePage, NomineeRead, NomineeUpdate

router = Router(prefix="/people")
STEP_UP = (SessionNeeded, StepUpRequired)
ADDRESS = (AlreadyNamed, OwnAddress, TooManyLetters)


@router.post("", status_code=201, responses={201: MADE, **problems(*STEP_UP, *ADDRESS, TooManyNominees)})
@idempotent()
async def create_nominee(
    data: NomineeCreate, principal: Writer, session: SessionDep, response: Response
) -> NomineeRead:
    """Name somebody who is to get something one day, or whose word is to be asked for; they are invited by e-mail.

    They need no account. Until they accept they get nothing.
    """
    nominee = await service.create_nominee(session, principal, data)
    response.headers["Location"] = f"/v1/nominees/people/{nominee.id}"
    return nominee


@router.get("", responses=problems(InvalidCursor))
async def list_nominees(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> NomineePage:
    """List the people you have named, newest first."""
    items, last = await service.list_nominees(session, principal, parse_cursor(cursor), limit)
    return NomineePage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/{nominee_id}", responses=problems(NomineeNotFound))
async def read_nominee(nominee_id: UUID, principal: Reader, session: SessionDep) -> NomineeRead:
    """See somebody you have named."""
    return await service.read_nominee(session, principal, nominee_id)


@router.patch("/{nominee_id}", responses=problems(*STEP_UP, NomineeNotFound, *ADDRESS, CaseIsOpen))
async def update_nominee(nominee_id: UUID, data: NomineeUpdate, principal: Writer, session: SessionDep) -> NomineeRead:
    """Change what you have noted of somebody. A new address has to be accepted, the old one is shut out at once."""
    return await service.update_nominee(session, principal, nominee_id, data)


@router.delete("/{nominee_id}", status_code=204, responses=problems(*STEP_UP, NomineeNotFound, NomineeInUse))
async def delete_nominee(nominee_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Forget somebody who stands in no plan and holds no sheet."""
    await service.delete_nominee(session, principal, nominee_id)


@router.post(
    "/{nominee_id}/invite",
    responses=problems(SessionNeeded, NomineeNotFound, InvitationAnswered, TooManyLetters),
)
async def invite_nominee(nominee_id: UUID, principal: Writer, session: SessionDep) -> NomineeRead:
    """Send the invitation again; the earlier one is void."""
    return await service.invite_again(session, principal, nominee_id)
