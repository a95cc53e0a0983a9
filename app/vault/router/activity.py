"""What happened in a vault, and what has changed since a client looked last."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from app.api.conditional import LISTED, IfNoneMatch, unless_same
from app.api.deps import SessionDep
from app.api.pages import CursorText, InvalidCursor, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.audit.queries import LogPages, numbered_cursor
from app.vault import service
from app.vault.errors import ContentDamaged, VaultNotFound
from app.vault.router.access import Reader
from app.vault.schemas.activity import ActivityPage
from app.vault.schemas.changes import ChangePage

router = Router()

Since = Annotated[
    CursorText | None, Query(description="`until` of the answer before; left out, everything that is there.")
]
Most = Annotated[int, Query(ge=1, le=500, description="Most changes in one answer.")]
OfVault = Annotated[UUID | None, Query(description="Only what concerns this vault.")]
WithContent = Annotated[bool, Query(description="Send along what can be read of each thing.")]


@router.get("/vaults/{vault_id}/activity", responses=problems(VaultNotFound, InvalidCursor, ContentDamaged))
async def list_activity(vault_id: UUID, query: LogPages, principal: Reader, session: SessionDep) -> ActivityPage:
    """See who did what in a vault, the last act first.

    Members see what was done to records, documents and members. The owner and admins see everything that is in the
    log, also invitations, downloads and keys.
    """
    activity, last = await service.list_activity(session, principal, vault_id, query.filters())
    return ActivityPage(items=activity, next_cursor=numbered_cursor(last))


@router.get(
    "/changes",
    response_model=ChangePage,
    responses={**LISTED, **problems(VaultNotFound, InvalidCursor, ContentDamaged)},
)
async def list_changes(
    principal: Reader,
    session: SessionDep,
    since: Since = None,
    limit: Most = 100,
    vault_id: OfVault = None,
    content: WithContent = False,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """See what has changed in your vaults since you looked last, for clients that keep a copy.

    Each thing is named once, with the last that happened to it. Ask again with `until` as `since`: at once while
    `has_more`, later on otherwise. Something may be named twice, nothing is left out. `purged` and `removed` say that
    it is gone, `trashed` that it is in the trash; anything else is there to be read.

    `access` tells of yourself: `granted` means that you have come into a vault, whose contents you read with
    `vault_id` and without `since`; after `removed` drop all that you have of it. With `reset` your cursor was too old:
    forget what you have, this answer begins anew.

    The ETag is that of what is named, whatever the cursors: who asks with the last cursor and the tag of an answer that
    named nothing gets 304 until there is something, and goes on with the cursor they have. Reminders are read at
    /v1/reminders/{id}; what is yours alone has your own id as `vault_id`. /v1/events tells at once, by the same
    cursors.
    """
    found = await service.list_changes(session, principal, parse_cursor(since), limit, vault_id, content=content)
    page = ChangePage(items=found.items, until=cursor_of(found.until), has_more=found.has_more, reset=found.reset)
    return unless_same(page, if_none_match, tagged=page.model_dump_json(exclude={"until"}).encode())
