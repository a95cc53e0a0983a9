"""Routes of imports: what another program exported, put into a vault."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response

from app.api.deps import SessionDep
from app.api.pages import InvalidCursor
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import ContentDamaged, VaultNotFound, VaultSealed
from app.vault.file_errors import ImportNotFound
from app.vault.router.access import LOCATION, Reader, Writer
from app.vault.router.forms import UploadForm
from app.vault.router.queries import PageQuery, Pages, next_cursor
from app.vault.router.uploads import FILE, FORM_ERRORS, UPLOAD_ERRORS, body_of, validated
from app.vault.schemas.imports import ImportCreate, ImportEntryPage, ImportPage, ImportRead
from app.vault.types import NAMES

FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["vault_id", "file"],
            "additionalProperties": False,
            "properties": {
                "vault_id": {"type": "string", "format": "uuid"},
                "format": {
                    "type": "string",
                    "enum": ["auto", "bitwarden_json", "bitwarden_zip", "onepux", "csv", "lifevault"],
                },
                "password": {"type": "string", "minLength": 1, "maxLength": 1000},
                "mapping": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"type": "object", "additionalProperties": {"type": "string"}},
                    "description": 'Our fields by the columns of a CSV, such as {"title": "Name", "password": "Code"}.',
                },
                "record_type": {"type": "string", "enum": list(NAMES)},
                "file": FILE,
            },
        },
        "encoding": {"file": {"contentType": "application/octet-stream"}},
    }
}

router = Router(prefix="/imports")


class EntryQuery(PageQuery):
    """What became of entries."""

    outcome: Literal["imported", "duplicate", "refused"] | None = None


@router.post(
    "",
    status_code=202,
    responses={202: {"headers": LOCATION}, **problems(*UPLOAD_ERRORS, VaultNotFound, VaultSealed, *FORM_ERRORS)},
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create_import(request: Request, principal: Writer, session: SessionDep, response: Response) -> ImportRead:
    """Import what another program has exported: Bitwarden (JSON, ZIP), 1Password (1PUX), CSV, or LifeVault itself.

    The file is encrypted while it arrives, read in the background, and then destroyed. What the vault has already is
    not added again; every entry is reported. `vault_id` should stand before `file` in the form.
    """
    form = UploadForm(request.headers.get("content-type", ""), body_of(request))
    await form.seek_file()
    if "vault_id" in form.texts:
        await service.require(session, principal, validated(form, ImportCreate).vault_id, "write")
    await session.commit()  # no connection is held while the file arrives
    async with service.stored_file(form.file(), form.file_name) as file:
        await form.finish()
        made = await service.create_import(session, principal, validated(form, ImportCreate), file)
        await session.commit()  # the file stays only if its row does
    response.headers["Location"] = f"/v1/vault/imports/{made.id}"
    return made


@router.get("", responses=problems(InvalidCursor, ContentDamaged))
async def list_imports(query: Pages, principal: Reader, session: SessionDep) -> ImportPage:
    """List your imports, newest first."""
    imports, last = await service.list_imports(session, principal, query.filters())
    return ImportPage(items=imports, next_cursor=next_cursor(last))


@router.get("/{import_id}", responses=problems(ImportNotFound, ContentDamaged))
async def read_import(import_id: UUID, principal: Reader, session: SessionDep) -> ImportRead:
    """See how far an import is, and how many entries came to what."""
    return await service.read_import(session, principal, import_id)


@router.get("/{import_id}/entries", responses=problems(ImportNotFound, InvalidCursor, ContentDamaged))
async def list_import_entries(
    import_id: UUID, query: Annotated[EntryQuery, Query()], principal: Reader, session: SessionDep
) -> ImportEntryPage:
    """List what became of each entry, in the order of the file."""
    filters = PageQuery(limit=query.limit, cursor=query.cursor).filters()
    entries, last = await service.list_import_entries(session, principal, import_id, filters, query.outcome)
    return ImportEntryPage(items=entries, next_cursor=next_cursor(last))
