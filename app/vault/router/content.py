"""Routes of files: uploads that are encrypted while they arrive, downloads that are verified while they leave."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep
from app.api.limits import BodyTooLarge
from app.api.problems import problems
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
    NoSuchRange,
    RoleTooLow,
    StaleRevision,
    UploadInterrupted,
    VaultNotFound,
    VersionNotFound,
)
from app.vault.etags import etag, matches
from app.vault.ranges import chosen_range
from app.vault.router.access import LOCATION, IfMatch, IfNoneMatch, Reader, Writer
from app.vault.router.forms import UploadForm
from app.vault.schemas.documents import DocumentAccepted, DocumentCreate

BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["vault_id", "file"],
            "properties": {
                "vault_id": {"type": "string", "format": "uuid"},
                "file": {"type": "string", "format": "binary"},
                "title": {"type": "string", "minLength": 1, "maxLength": 200},
                "tags": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 64}, "maxItems": 50},
            },
        },
        "encoding": {"file": {"contentType": "application/octet-stream"}},
    }
}
FILE_HEADERS = {
    "ETag": {"description": "The digest of the content.", "schema": {"type": "string"}},
    "Accept-Ranges": {"description": "bytes", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "The name of the file.", "schema": {"type": "string"}},
}
WHOLE = {"description": "The file", "content": BINARY, "headers": FILE_HEADERS}
PART = {"description": "The bytes of the range", "content": BINARY, "headers": FILE_HEADERS}
KNOWN = {"description": "Still what If-None-Match says"}

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The number of an earlier version.")]
Range = Annotated[
    str | None, Header(alias="Range", max_length=200, description="One range of bytes.", examples=["bytes=0-1023"])
]
IfRange = Annotated[str | None, Header(max_length=200, description="The ETag for which the range is meant.")]

UPLOAD_ERRORS = (UploadInterrupted, RoleTooLow, FileTooLarge, BodyTooLarge, EmptyFile)
FORM_ERRORS = (InvalidForm, FormExpected, FileMissing)

router = APIRouter(prefix="/documents")


@router.post(
    "",
    status_code=202,
    responses={202: {"headers": LOCATION}, **problems(*UPLOAD_ERRORS, VaultNotFound, LimitReached, *FORM_ERRORS)},
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create_document(
    request: Request, principal: Writer, session: SessionDep, response: Response
) -> DocumentAccepted:
    """Upload a file as a new document. It is encrypted while it arrives, then read in the background.

    A vault that you may not write to is refused before the file is sent if `vault_id` stands before `file`.
    """
    form = UploadForm(request.headers.get("content-type", ""), _body(request))
    await form.seek_file()
    if "vault_id" in form.texts:
        await service.require_room(session, principal, _validated(form).vault_id)
    await session.commit()  # no connection is held while the file arrives
    async with service.stored_file(form.file(), form.file_name) as file:
        await form.finish()
        document = await service.create_document(session, principal, _validated(form), file)
        await session.commit()  # the file stays only if its rows do
    response.headers["Location"] = f"/v1/vault/documents/{document.id}"
    return document


@router.put(
    "/{document_id}/content",
    status_code=202,
    responses=problems(*UPLOAD_ERRORS, DocumentNotFound, StaleRevision),
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
    document = await service.read_document(session, principal, document_id)
    await service.writable_document(session, principal, document_id, if_match)
    await session.commit()
    async with service.stored_file(_body(request), name or document.name) as file:
        accepted = await service.add_version(session, principal, document_id, file, if_match=if_match)
        await session.commit()
    return accepted


@router.get(
    "/{document_id}/content",
    response_class=StreamingResponse,
    responses={
        200: WHOLE,
        206: PART,
        304: KNOWN,
        **problems(DocumentNotFound, VersionNotFound, NoSuchRange, ContentDamaged),
    },
)
async def read_content(
    document_id: UUID,
    principal: Reader,
    session: SessionDep,
    version: Version = None,
    range_header: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download the file of a document, whole or one range of it. Every byte is verified before it is sent."""
    content = await service.open_document(session, principal, document_id, version)
    if if_none_match is not None and matches(if_none_match, etag(content.sha256)):
        return Response(status_code=304, headers=_headers(content))
    meant = if_range is None or if_range == etag(content.sha256)
    part = chosen_range(range_header, content.size) if meant else None
    start, end = part or (0, content.size)
    headers = {**_headers(content), "Content-Length": str(end - start)}
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    chunks = content.chunks(start, end)
    first = await anext(chunks)  # a damaged file is said before the answer begins
    return StreamingResponse(_chained(first, chunks), 206 if part else 200, headers)


@router.head(
    "/{document_id}/content",
    responses={200: {"description": "What a download says of itself", "headers": FILE_HEADERS}},
)
async def describe_content(
    document_id: UUID, principal: Reader, session: SessionDep, version: Version = None
) -> Response:
    """See size, type and digest of the file of a document."""
    content = await service.open_document(session, principal, document_id, version)
    headers = {**_headers(content), "Content-Length": str(content.size)}
    return Response(headers=headers)


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except ClientDisconnect:
        raise UploadInterrupted from None


def _validated(form: UploadForm) -> DocumentCreate:
    """The text parts that came so far."""
    values: dict[str, Any] = {name: texts[-1] for name, texts in form.texts.items()}
    if "tags" in values:
        values["tags"] = form.texts["tags"]
    try:
        return DocumentCreate.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _headers(content: service.VersionContent) -> dict[str, str]:
    return {
        "ETag": etag(content.sha256),
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": attachment(content.name),
        "Content-Type": content.media_type,
    }


def attachment(name: str) -> str:
    """A `Content-Disposition` that offers a file for saving (RFC 6266, names as in RFC 8187)."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
