"""Routes of exports: everything that a person can read, to take along."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Response
from starlette.responses import StreamingResponse

from app.api.conditional import IfNoneMatch
from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.errors import SessionNeeded, StepUpRequired
from app.core.etags import etag, matches
from app.vault import service
from app.vault.errors import ContentDamaged, LimitReached, NoSuchRange, VaultNotFound, VaultSealed
from app.vault.file_errors import ExportNotFound, ExportNotReady, InvalidRecipient
from app.vault.router.access import LOCATION, Reader
from app.vault.router.downloads import KNOWN, PART, WHOLE, Range, headers_of, streamed
from app.vault.router.queries import Pages, next_cursor
from app.vault.schemas.exports import ExportCreate, ExportPage, ExportRead

router = Router(prefix="/exports")


@router.post(
    "",
    status_code=202,
    responses={
        202: {"headers": LOCATION},
        **problems(VaultNotFound, VaultSealed, LimitReached, InvalidRecipient, SessionNeeded, StepUpRequired),
    },
)
@idempotent()
async def create_export(data: ExportCreate, principal: Reader, session: SessionDep, response: Response) -> ExportRead:
    """Have everything that you can read written into one file: records with their history, files with all versions.

    Who you are must have been proved shortly before (see /v1/auth/step-up). The file can be fetched for a day.
    """
    export = await service.create_export(session, principal, data)
    response.headers["Location"] = f"/v1/vault/exports/{export.id}"
    return export


@router.get("", responses=problems(InvalidCursor))
async def list_exports(query: Pages, principal: Reader, session: SessionDep) -> ExportPage:
    """List your exports that have not expired, newest first."""
    exports, last = await service.list_exports(session, principal, query.filters())
    return ExportPage(items=exports, next_cursor=next_cursor(last))


@router.get("/{export_id}", responses=problems(ExportNotFound))
async def read_export(export_id: UUID, principal: Reader, session: SessionDep) -> ExportRead:
    """See whether an export is ready."""
    return await service.read_export(session, principal, export_id)


@router.get(
    "/{export_id}/content",
    response_class=StreamingResponse,
    responses={
        200: WHOLE,
        206: PART,
        304: KNOWN,
        **problems(ExportNotFound, ExportNotReady, NoSuchRange, ContentDamaged, SessionNeeded, StepUpRequired),
    },
)
async def read_export_content(
    export_id: UUID,
    principal: Reader,
    session: SessionDep,
    range_header: Range = None,
    if_range: Annotated[str | None, Header(max_length=200, description="The ETag that the range is meant for.")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download an export, whole or one range of it."""
    content = await service.open_export(session, principal, export_id)
    tag = etag(content.sha256)
    if if_none_match is not None and matches(if_none_match, tag):
        return Response(status_code=304, headers=headers_of(content))
    wanted = range_header if if_range in (None, tag) else None
    await service.record_export_download(session, principal, export_id, content, whole=wanted is None)
    return await streamed(content, wanted)


@router.delete("/{export_id}", status_code=204, responses=problems(ExportNotFound))
async def delete_export(export_id: UUID, principal: Reader, session: SessionDep) -> None:
    """Destroy an export before it expires."""
    await service.delete_export(session, principal, export_id)
