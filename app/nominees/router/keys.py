"""Routes of legacy keys, their sheets, and the export that these open."""

from uuid import UUID

from fastapi import Response
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.nominees import service
from app.nominees.errors import LegacyKeyNotFound, LegacyKeyTaken, NomineeNotFound, NotOurShare, SheetsUnsuitable
from app.nominees.router.access import Reader, Writer
from app.nominees.router.people import STEP_UP
from app.nominees.schemas.keys import LegacyKeyCreate, LegacyKeyList, LegacyKeyRead, LegacyKeyRegister, ServerSheet
from app.vault.router.downloads import attachment

router = Router()
HOLDERS = (NomineeNotFound, SheetsUnsuitable)
PDF = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}
AGE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
SHEETS = {"description": "The sheets, yours first", "content": PDF}
EXPORT = {"description": "The export", "content": AGE}


@router.post(
    "/legacy-keys",
    status_code=201,
    response_class=Response,
    responses={201: SHEETS, **problems(*STEP_UP, *HOLDERS)},
)
async def create_legacy_key(data: LegacyKeyCreate, principal: Writer, session: SessionDep) -> Response:
    """Make legacy keys and get their sheets, to be printed and handed out: yours, and one for each nominee.

    Of the three parts (yours, the server's, so many of the nominees') any two open what is made readable for these
    keys, without this service, too. The answer is the only time that the sheets can be had. Earlier keys stay as they
    are until you delete them.
    """
    sheets = await service.create_legacy_key(session, principal, data)
    headers = {"Cache-Control": "no-store", "Content-Disposition": attachment("Legacy sheets.pdf")}
    return Response(sheets, 201, headers, "application/pdf")


@router.post(
    "/legacy-keys/register",
    status_code=201,
    responses=problems(*STEP_UP, *HOLDERS, NotOurShare, LegacyKeyTaken),
)
async def register_legacy_key(data: LegacyKeyRegister, principal: Writer, session: SessionDep) -> LegacyKeyRead:
    """Register legacy keys whose sheets your own device has made, so that their secret never leaves it."""
    return await service.register_legacy_key(session, principal, data)


@router.get("/legacy-keys")
async def list_legacy_keys(principal: Reader, session: SessionDep) -> LegacyKeyList:
    """List your legacy keys, newest first. Clients of sealed vaults wrap keys for the first one."""
    return LegacyKeyList(items=await service.list_legacy_keys(session, principal))


@router.post("/legacy-keys/{legacy_key_id:uuid}/server-sheet", responses=problems(*STEP_UP, LegacyKeyNotFound))
async def read_server_sheet(legacy_key_id: UUID, principal: Writer, session: SessionDep) -> ServerSheet:
    """Get the server's part of your own keys: together with your sheet it opens what was made readable for them."""
    return await service.read_server_sheet(session, principal, legacy_key_id)


@router.delete("/legacy-keys/{legacy_key_id:uuid}", status_code=204, responses=problems(*STEP_UP, LegacyKeyNotFound))
async def delete_legacy_key(legacy_key_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Forget keys with the server's part. From then on only your sheet and those of the nominees open together."""
    await service.delete_legacy_key(session, principal, legacy_key_id)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: EXPORT, **problems(*STEP_UP, LegacyKeyNotFound)},
)
async def read_export(principal: Reader, session: SessionDep) -> StreamingResponse:
    """Download all that is in your assisted vaults as one file, which the sheets of your newest legacy keys open.

    `lifevault legacy open` opens it without any server; the file is in the format of the program `age`.
    """
    pieces = await service.start_export(session, principal)
    headers = {"Cache-Control": "no-store", "Content-Disposition": attachment("LifeVault export.age")}
    return StreamingResponse(pieces, 200, headers, "application/octet-stream")
