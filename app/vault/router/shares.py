"""Routes of shares: for those who make them, and for people outside who have nothing but the token."""

from uuid import UUID

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep, device_of
from app.api.idempotency import idempotent
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import (
    ContentDamaged,
    DocumentNotFound,
    ItemNotFound,
    LimitReached,
    RoleTooLow,
    ShareNotFound,
    SharePasswordNeeded,
    TooManyTries,
    VaultNotFound,
    VaultSealed,
    VersionNotFound,
)
from app.vault.router.access import LOCATION, Reader, Writer
from app.vault.router.downloads import FILE, streamed
from app.vault.router.queries import Pages, PagesOfVault, next_cursor
from app.vault.schemas.shares import (
    ShareCreate,
    ShareCreated,
    SharedRead,
    ShareOpen,
    SharePage,
    ShareRead,
    ShareTicket,
    ShareViewPage,
)

SUBJECTS = (ItemNotFound, DocumentNotFound, VersionNotFound, RoleTooLow, LimitReached)

router = Router()


@router.post("/shared/open", responses=problems(ShareNotFound, SharePasswordNeeded, TooManyTries, ContentDamaged))
async def open_share(data: ShareOpen, request: Request) -> SharedRead:
    """Open a share, without an account: a record comes with the answer, a file with a ticket. Counts as one view."""
    return await service.open_share(data.token, data.password, device_of(request))


@router.post(
    "/shared/content",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": FILE}, **problems(ShareNotFound, ContentDamaged)},
)
async def read_shared_file(data: ShareTicket) -> Response:
    """Download the file of a share that was opened a short while ago."""
    return await streamed(await service.open_shared_file(data.ticket), None)


@router.post("/shares", status_code=201, responses={201: {"headers": LOCATION}, **problems(*SUBJECTS)})
@idempotent()
async def create_share(data: ShareCreate, principal: Writer, session: SessionDep, response: Response) -> ShareCreated:
    """Make a link to one record or one file for somebody outside. Its token is shown this once.

    It opens until it expires, has been opened `max_views` times or is revoked, and only while you may share what it is
    about. A record is shown as it is when the link is opened, a file as it is now.
    """
    share = await service.create_share(session, principal, data)
    response.headers["Location"] = f"/v1/vault/shares/{share.id}"
    return share


@router.get("/shares", responses=problems(VaultNotFound, VaultSealed, InvalidCursor, ContentDamaged))
async def list_shares(query: PagesOfVault, principal: Reader, session: SessionDep) -> SharePage:
    """List your shares, and everybody's in the vaults that you manage, newest first."""
    shares, last = await service.list_shares(session, principal, query.filters())
    return SharePage(items=shares, next_cursor=next_cursor(last))


@router.get("/shares/{share_id}", responses=problems(ShareNotFound, ContentDamaged))
async def read_share(share_id: UUID, principal: Reader, session: SessionDep) -> ShareRead:
    """Read what a share is about, and how often it was opened."""
    return await service.read_share(session, principal, share_id)


@router.delete("/shares/{share_id}", status_code=204, responses=problems(ShareNotFound))
async def delete_share(share_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Revoke a share: it never opens again. It stays listed for some time (30 days by default)."""
    await service.revoke_share(session, principal, share_id)


@router.get("/shares/{share_id}/views", responses=problems(ShareNotFound, InvalidCursor, ContentDamaged))
async def list_share_views(share_id: UUID, query: Pages, principal: Reader, session: SessionDep) -> ShareViewPage:
    """List when a share was opened, or refused for a wrong password, and by what kind of device."""
    views, last = await service.list_share_views(session, principal, share_id, query.filters())
    return ShareViewPage(items=views, next_cursor=next_cursor(last))
