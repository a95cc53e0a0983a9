"""Routes of release cases, for the owner."""

from uuid import UUID

from fastapi import Response
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.nominees import service
from app.nominees.errors import CaseIsOver, CaseNotFound, ProofNotFound
from app.nominees.router.access import A_FILE, Reader, Writer
from app.nominees.schemas.cases import CasePage, CaseRead, ReadLogPage
from app.vault.errors import ContentDamaged
from app.vault.router.downloads import attachment

router = Router()


@router.get("/cases", responses=problems(InvalidCursor))
async def list_cases(principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> CasePage:
    """List the releases of your plans that have begun, newest first, whatever became of them."""
    items, last = await service.list_cases(session, principal, parse_cursor(cursor), limit)
    return CasePage(items=items, next_cursor=cursor_of(last) if last else None)


@router.get("/cases/{case_id}", responses=problems(CaseNotFound))
async def read_case(case_id: UUID, principal: Reader, session: SessionDep) -> CaseRead:
    """See where a release stands and what happened in it."""
    return await service.read_case(session, principal, case_id)


@router.post("/cases/{case_id}/stop", responses=problems(CaseNotFound, CaseIsOver))
async def stop_case(case_id: UUID, principal: Writer, session: SessionDep) -> CaseRead:
    """Stop a release, or take it back: at once, at any time, whatever else happens in the same moment."""
    await service.stop_case(session, principal, case_id)
    return await service.read_case(session, principal, case_id)


@router.get(
    "/cases/{case_id}/proofs/{proof_id}/content",
    response_class=StreamingResponse,
    responses={
        200: A_FILE,
        **problems(CaseNotFound, ProofNotFound, ContentDamaged),
    },
)
async def read_proof(case_id: UUID, proof_id: UUID, principal: Reader, session: SessionDep) -> Response:
    """Download a proof that was brought into a release."""
    return proof_file(await service.open_own_proof(session, principal, case_id, proof_id))


def proof_file(content: service.ProofContent) -> StreamingResponse:
    """A proof as a download."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": attachment(content.name),
        "Content-Length": str(content.size),
        "Content-Type": content.media_type,
    }
    return StreamingResponse(content.chunks(), headers=headers)


@router.get("/reads", responses=problems(InvalidCursor))
async def list_reads(principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> ReadLogPage:
    """List what nominees have read of what was released to them, newest first."""
    items, last = await service.list_reads(session, principal, parse_cursor(cursor), limit)
    return ReadLogPage(items=items, next_cursor=cursor_of(last) if last else None)
