"""Documents as files."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response, StreamingResponse

from app.agents.openai.errors import VaultNeeded
from app.agents.openai.router.access import After, Most, Reader, Writer
from app.agents.openai.schemas.stores import FileDeleted, FileList, FileRead, ends
from app.api.deps import SessionDep
from app.api.limits import BodyTooLarge
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.core.schemas import RequestModel
from app.jobs import service as jobs
from app.payments.errors import PlanLimitReached
from app.vault import service as vaults
from app.vault.errors import (
    ContentDamaged,
    DocumentNotFound,
    EmptyFile,
    FileMissing,
    FileTooLarge,
    FormExpected,
    InvalidForm,
    LimitReached,
    RoleTooLow,
    UploadInterrupted,
    VaultNotFound,
    VaultSealed,
)
from app.vault.router.downloads import attachment
from app.vault.router.forms import UploadForm
from app.vault.router.uploads import FILE, body_of
from app.vault.schemas.documents import DocumentCreate, DocumentRead

router = Router(prefix="/files")
Purpose = Literal["assistants", "user_data"]
WRITING = ("owner", "admin", "editor")
STATUS: dict[str, Any] = {"queued": "uploaded", "running": "uploaded", "failed": "error"}
FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file", "purpose"],
            "additionalProperties": False,
            "properties": {
                "file": FILE,
                "purpose": {"type": "string", "enum": ["assistants", "user_data"]},
                "vault_id": {"type": "string", "format": "uuid"},
            },
        },
        "encoding": {"file": {"contentType": "application/octet-stream"}},
    }
}
UPLOAD_ERRORS = (BodyTooLarge, EmptyFile, FileMissing, FileTooLarge, FormExpected, InvalidForm, LimitReached)
MORE_ERRORS = (PlanLimitReached, RoleTooLow, UploadInterrupted, VaultNeeded, VaultNotFound, VaultSealed)


class FileForm(RequestModel):
    """The text parts of an upload; `vault_id` is of this service."""

    purpose: Purpose
    vault_id: UUID | None = Field(default=None)


@router.post(
    "",
    responses=problems(*UPLOAD_ERRORS, *MORE_ERRORS),
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create_file(request: Request, principal: Writer, session: SessionDep) -> FileRead:
    """Upload a file as a document. It is encrypted while it arrives, then read in the background.

    It goes to the vault that `vault_id` names, or to the only one that you may write to.
    """
    form = UploadForm(request.headers.get("content-type", ""), body_of(request))
    await form.seek_file()
    await session.commit()  # no connection is held while the file arrives
    async with vaults.stored_file(form.file(), form.file_name) as file:
        await form.finish()
        fields = _fields(form)
        vault_id = fields.vault_id or await _only_vault(session, principal)
        made = await vaults.create_document(session, principal, DocumentCreate(vault_id=vault_id), file)
        document = await vaults.read_document(session, principal, made.id)
        await session.commit()  # the file stays only if its rows do
    return _file(document, "queued", fields.purpose)


def _fields(form: UploadForm) -> FileForm:
    try:
        return FileForm.model_validate({name: texts[-1] for name, texts in form.texts.items()})
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


async def _only_vault(session: AsyncSession, principal: Principal) -> UUID:
    found, _ = await vaults.list_vaults(session, principal, vaults.Filters(limit=100, readable=True))
    writable = [vault.id for vault in found if vault.role in WRITING]
    if len(writable) != 1:
        raise VaultNeeded("Send vault_id: you have several vaults, or none that you may write to")
    return writable[0]


@router.get("", responses=problems(ContentDamaged))
async def list_files(
    principal: Reader,
    session: SessionDep,
    limit: Most = 20,
    after: After = None,
    purpose: Annotated[Purpose, Query(description="All files are shown for either.")] = "assistants",
    order: Annotated[Literal["desc"], Query()] = "desc",  # noqa: ARG001  another one is refused
) -> FileList:
    """List your documents, newest first."""
    rows, last = await vaults.list_documents(session, principal, vaults.Filters(limit=limit, before=after))
    states = await jobs.job_states(session, [row.job_id for row in rows])
    data = [_file(row, states.get(row.job_id), purpose) for row in rows]
    return FileList(object="list", data=data, has_more=last is not None, **ends(data))


@router.get("/{file_id}", responses=problems(DocumentNotFound, ContentDamaged))
async def read_file(file_id: UUID, principal: Reader, session: SessionDep) -> FileRead:
    """Read what is known of a document."""
    document = await vaults.read_document(session, principal, file_id)
    states = await jobs.job_states(session, [document.job_id])
    return _file(document, states.get(document.job_id), "assistants")


@router.get(
    "/{file_id}/content",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": {"*/*": {"schema": FILE}}}, **problems(DocumentNotFound)},
)
async def read_file_content(file_id: UUID, principal: Reader, session: SessionDep) -> Response:
    """Download a document."""
    content = await vaults.open_document(session, principal, file_id, None)
    headers = {"Content-Length": str(content.size), "Content-Disposition": attachment(content.name)}
    return StreamingResponse(content.chunks(), headers=headers, media_type=content.media_type)


@router.delete("/{file_id}", responses=problems(DocumentNotFound, RoleTooLow))
async def delete_file(file_id: UUID, principal: Writer, session: SessionDep) -> FileDeleted:
    """Put a document into the trash, from which you can restore it for some time."""
    await vaults.trash_document(session, principal, file_id)
    return FileDeleted(id=file_id, object="file", deleted=True)


def _file(document: DocumentRead, state: str | None, purpose: Purpose) -> FileRead:
    status = STATUS.get(state or "", "processed")
    return FileRead(
        id=document.id,
        object="file",
        bytes=document.size,
        created_at=int(document.created_at.timestamp()),
        filename=document.name,
        purpose=purpose,
        status=status,
        status_details="It could not be read." if status == "error" else None,
        vector_store_id=document.vault_id,
    )
