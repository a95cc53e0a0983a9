"""Routes of filing what was read."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Security

from app.agents.intake import service
from app.agents.intake.errors import IntakeDecided, IntakeNotFound, TypeNeeded
from app.agents.intake.schemas import IntakeAccept, IntakePage, IntakeRead, State
from app.agents.router.access import Runner, page_of
from app.api.deps import SessionDep, get_principal
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.vault.errors import (
    InvalidFields,
    LimitReached,
    RoleTooLow,
    StaleRevision,
    TypeNotFound,
    VaultNotFound,
    VaultSealed,
)

Filer = Annotated[Principal, Security(get_principal, scopes=["agents:run", "vault:write"])]

router = Router(prefix="/agents/intake")


@router.get("", responses=problems(InvalidCursor, VaultNotFound, VaultSealed))
async def list_intakes(
    principal: Runner,
    session: SessionDep,
    vault_id: UUID | None = None,
    state: Annotated[State | None, Query()] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> IntakePage:
    """List what is proposed to be filed, newest first.

    When a document has been read, a record of the fitting type is proposed, with the fields that the document tells,
    each with its place, and days to be reminded of. It works without a language model.
    """
    before = parse_cursor(cursor)
    found = await service.list_page(session, principal, limit=limit + 1, before=before, vault_id=vault_id, state=state)
    shown, after = page_of(found, limit)
    return IntakePage(items=shown, next_cursor=after)


@router.get("/{intake_id}", responses=problems(IntakeNotFound))
async def read_intake(intake_id: UUID, principal: Runner, session: SessionDep) -> IntakeRead:
    """Read a proposal."""
    return await service.read(session, principal, intake_id)


@router.post(
    "/{intake_id}/accept",
    status_code=201,
    responses=problems(
        IntakeNotFound,
        IntakeDecided,
        TypeNeeded,
        TypeNotFound,
        RoleTooLow,
        InvalidFields,
        LimitReached,
        StaleRevision,
    ),
)
@idempotent()
async def accept_intake(intake_id: UUID, data: IntakeAccept, principal: Filer, session: SessionDep) -> IntakeRead:
    """Make the record as proposed, or with changes, and link it to its document.

    A proposal for a new version of a document that was filed before changes that record.
    """
    return await service.accept(session, principal, intake_id, data)


@router.post("/{intake_id}/dismiss", responses=problems(IntakeNotFound, IntakeDecided, RoleTooLow))
async def dismiss_intake(intake_id: UUID, principal: Filer, session: SessionDep) -> IntakeRead:
    """Dismiss a proposal. A new version of the document may bring another."""
    return await service.dismiss(session, principal, intake_id)
