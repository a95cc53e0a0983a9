"""Uploads: encrypted while they arrive, without a trace when they fail."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from app.api.deps import SessionDep
from app.api.limits import BodyTooLarge
from app.api.problems import problems
from app.api.routes import Router
from app.core.schemas import FILLED_PATTERN, RequestModel
from app.payments.errors import PlanLimitReached
from app.vault import service
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
    StaleRevision,
    UploadInterrupted,
    VaultNotFound,
    VaultSealed,
    VersionNotFound,
)
from app.vault.router.access import LOCATION, IfMatch, Writer
from app.vault.router.forms import UploadForm
from app.vault.schemas.documents import DocumentAccepted, DocumentCreate, VersionCreate

FILE = {"type": "string", "format": "binary", "minLength": 1}
FILLED = {"type": "string", "minLength": 1, "pattern": FILLED_PATTERN}
BINARY = {"application/octet-stream": {"schema": FILE}}
FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["vault_id", "file"],
            "additionalProperties": False,
            "properties": {
                "vault_id": {"type": "string", "format": "uuid"},
                "file": FILE,
                "title": {**FILLED, "maxLength": 200},
                "tags": {"type": "array", "items": {**FILLED, "maxLength": 64}, "maxItems": 50},
            },
        },
        "encoding": {"file": {"contentType": "application/octet-stream"}},
    }
}
VERSION_FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "additionalProperties": False,
            "properties": {"file": FILE},
        },
        "encoding": {"file": {"contentType": "application/octet-stream"}},
    }
}
UPLOAD_ERRORS = (UploadInterrupted, RoleTooLow, FileTooLarge, BodyTooLarge, EmptyFile, PlanLimitReached)
RESTORE_ERRORS = (RoleTooLow, PlanLimitReached, ContentDamaged)
FORM_ERRORS = (InvalidForm, FormExpected, FileMissing)

Texts = TypeVar("Texts", bound=RequestModel)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

router = Router(prefix="/documents")


@router.post(
    "",
    status_code=202,
    responses={
        202: {"headers": LOCATION},
        **problems(*UPLOAD_ERRORS, VaultNotFound, VaultSealed, LimitReached, *FORM_ERRORS),
    },
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create_document(
    request: Request, principal: Writer, session: SessionDep, response: Response
) -> DocumentAccepted:
    """Upload a file as a new document. It is encrypted while it arrives, then read in the background.

    A vault that you may not write to is refused before the file is sent if `vault_id` stands before `file`.
    """
    form = UploadForm(request.headers.get("content-type", ""), body_of(request))
    await form.seek_file()
    if "vault_id" in form.texts:
        await service.require_room(session, principal, validated(form, DocumentCreate).vault_id)
    await session.commit()  # no connection is held while the file arrives
    async with service.stored_file(form.file(), form.file_name) as file:
        await form.finish()
        document = await service.create_document(session, principal, validated(form, DocumentCreate), file)
        await session.commit()  # the file stays only if its rows do
    response.headers["Location"] = f"/v1/vault/documents/{document.id}"
    return document


@router.put(
    "/{document_id}/content",
    status_code=202,
    responses=problems(*UPLOAD_ERRORS, DocumentNotFound, StaleRevision, LimitReached),
    openapi_extra={"requestBody": {"required": True, "content": BINARY}},
)
async def replace_content(
    document_id: UUID,
    request: Request,
    principal: Writer,
    session: SessionDep,
    name: Annotated[str | None, Query(min_length=1, max_length=200, description="A new name of the file.")] = None,
    if_match: IfMatch = None,
) -> DocumentAccepted:
    """Upload a new version of a document: the body is the file. Earlier versions are kept."""
    present = await service.require_version_room(session, principal, document_id, if_match=if_match)
    await session.commit()  # no connection is held while the file arrives
    async with service.stored_file(body_of(request), name or present.name) as file:
        accepted = await service.add_version(session, principal, document_id, file, if_match=if_match)
        await session.commit()  # the file stays only if its rows do
    return accepted


@router.post(
    "/{document_id}/versions",
    status_code=202,
    responses=problems(*UPLOAD_ERRORS, DocumentNotFound, StaleRevision, LimitReached, *FORM_ERRORS),
    openapi_extra={"requestBody": {"required": True, "content": VERSION_FORM}},
)
async def create_version(
    document_id: UUID, request: Request, principal: Writer, session: SessionDep, if_match: IfMatch = None
) -> DocumentAccepted:
    """Upload a new version of a document as a form. Earlier versions are kept; what is searched follows the new one."""
    await service.require_version_room(session, principal, document_id, if_match=if_match)
    await session.commit()  # no connection is held while the file arrives
    form = UploadForm(request.headers.get("content-type", ""), body_of(request))
    await form.seek_file()
    async with service.stored_file(form.file(), form.file_name) as file:
        await form.finish()
        validated(form, VersionCreate)
        accepted = await service.add_version(session, principal, document_id, file, if_match=if_match)
        await session.commit()  # the file stays only if its rows do
    return accepted


@router.post(
    "/{document_id}/versions/{number:int}/restore",
    status_code=202,
    responses=problems(*RESTORE_ERRORS, DocumentNotFound, VersionNotFound, StaleRevision, LimitReached),
)
async def restore_document_version(
    document_id: UUID, number: Number, principal: Writer, session: SessionDep, if_match: IfMatch = None
) -> DocumentAccepted:
    """Make an earlier file the current one again, as a new version; If-Match is honoured."""
    await service.require_version_room(session, principal, document_id, if_match=if_match)
    content = await service.open_document(session, principal, document_id, number)
    await session.commit()  # no connection is held while the file is copied
    async with service.stored_file(content.chunks(), content.name) as file:
        accepted = await service.add_version(session, principal, document_id, file, if_match=if_match)
        await session.commit()  # the file stays only if its rows do
    return accepted


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `UploadInterrupted`."""
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except ClientDisconnect:
        raise UploadInterrupted from None


def validated(form: UploadForm, model: type[Texts]) -> Texts:
    """The text parts that came so far."""
    values: dict[str, Any] = {name: texts[-1] for name, texts in form.texts.items()}
    if "tags" in values:
        values["tags"] = form.texts["tags"]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None
