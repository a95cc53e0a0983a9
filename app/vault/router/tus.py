"""Uploads that can be interrupted and go on: tus 1.0.0 with its extensions creation, creation-with-upload, expiration,
termination and checksum (https://tus.io/protocols/resumable-upload).
"""

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, ValidationError
from pydantic.json_schema import SkipJsonSchema

from app.api.deps import SessionDep, SettingsDep
from app.api.limits import BodyTooLarge
from app.api.problems import problems
from app.api.routes import Router
from app.core.errors import AppError
from app.payments.errors import PlanLimitReached
from app.vault import service
from app.vault.errors import (
    ContentDamaged,
    DocumentNotFound,
    FileTooLarge,
    LimitReached,
    RoleTooLow,
    UploadInterrupted,
    VaultNotFound,
    VaultSealed,
)
from app.vault.file_errors import (
    ChecksumMismatch,
    ChecksumUnknown,
    MetadataUnreadable,
    OffsetMismatch,
    OffsetStreamExpected,
    TusVersionUnknown,
    UploadNotFound,
    UploadWithoutVault,
)
from app.vault.router.access import LOCATION, Reader, Writer
from app.vault.router.uploads import body_of
from app.vault.schemas.uploads import UploadMetadata, UploadRead

TUS: Final = {"Tus-Resumable": "1.0.0"}
EXTENSIONS: Final = "creation,creation-with-upload,expiration,termination,checksum"
STREAM: Final = "application/offset+octet-stream"
LARGEST: Final = 2**53 - 1
METADATA_PATTERN: Final = r"^[^\s,]+( [A-Za-z0-9+/]*={0,2})?(,[^\s,]+( [A-Za-z0-9+/]*={0,2})?)*$"

NUMBER: Final = {"type": "integer", "minimum": 0}
TEXT: Final = {"type": "string"}
RESUMABLE: Final = {"Tus-Resumable": {"required": True, "schema": {"const": "1.0.0"}}}
STATE: Final = {
    **RESUMABLE,
    "Upload-Offset": {"description": "Bytes that are kept.", "required": True, "schema": NUMBER},
    "Upload-Expires": {"description": "When it is deleted.", "required": True, "schema": TEXT},
    "Upload-Document": {"description": "The path of the document, when all bytes are there.", "schema": TEXT},
}
SPEAKS_TUS: Final = [
    {"name": "Tus-Resumable", "in": "header", "required": True, "schema": {"const": "1.0.0", "type": "string"}}
]
BODY: Final = {STREAM: {"schema": {"type": "string", "format": "binary"}}}

Length = Annotated[int, Header(ge=1, le=LARGEST, description="Bytes of the whole file.")]
Offset = Annotated[int, Header(ge=0, le=LARGEST, description="Where the bytes go on: as many as are kept.")]
Metadata = Annotated[
    str,
    Header(
        max_length=8_192,
        pattern=METADATA_PATTERN,
        description="Pairs of a key and a value in base64: vault_id (or document_id for a new version), filename, "
        "title, tags (parted by commas).",
        examples=["vault_id MDFhMWZiZTgtM2VlZi03ZDI3LTgwOWMtOWNmYWJhNzI0ZmFh,filename cG9saWN5LnBkZg=="],
    ),
]
Checksum = Annotated[
    Annotated[str, StringConstraints(max_length=200, pattern=r"^(sha1|sha256) [A-Za-z0-9+/]+={0,2}$")]
    | SkipJsonSchema[None],
    Header(examples=["sha1 Lve95gjOVATpfV8EL5X4nxwjKHE="]),
]


router = Router(prefix="/uploads")

WRITING_PROBLEMS = (RoleTooLow, FileTooLarge, BodyTooLarge, PlanLimitReached, ContentDamaged, UploadInterrupted)


@router.options("", status_code=204, response_class=Response)
async def describe_uploads(_: Reader, settings: SettingsDep) -> Response:
    """See which version and extensions of tus are spoken, and how large a file may be."""
    headers = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(settings.max_upload_bytes),
        "Tus-Checksum-Algorithm": "sha1,sha256",
    }
    return Response(status_code=204, headers={**TUS, **headers})


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses={
        201: {"headers": {**STATE, **LOCATION}},
        **problems(
            *WRITING_PROBLEMS,
            *(VaultNotFound, VaultSealed, DocumentNotFound, LimitReached, MetadataUnreadable, UploadWithoutVault),
            *(OffsetStreamExpected, TusVersionUnknown),
        ),
    },
    openapi_extra={"parameters": SPEAKS_TUS, "requestBody": {"content": BODY}},
)
async def create_upload(
    request: Request, principal: Writer, session: SessionDep, upload_length: Length, upload_metadata: Metadata
) -> Response:
    """Begin an upload (tus); bytes may come with it. Go on with PATCH at the `Location` until all are there."""
    with speaking_tus(request):
        data = _parsed(upload_metadata)
        upload = await service.create_upload(session, principal, upload_length, data, upload_metadata)
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            _require_stream(request)
            upload = await service.append(session, principal, upload.id, 0, body_of(request))
        await session.commit()
    return Response(status_code=201, headers={"Location": f"/v1/vault/uploads/{upload.id}", **_state(upload)})


@router.head(
    "/{upload_id}",
    response_class=Response,
    responses={200: {"headers": STATE}, **problems(UploadNotFound, RoleTooLow, TusVersionUnknown)},
    openapi_extra={"parameters": SPEAKS_TUS},
)
async def describe_upload(upload_id: UUID, request: Request, principal: Writer, session: SessionDep) -> Response:
    """See how many bytes of an upload are kept (tus)."""
    with speaking_tus(request):
        upload = await service.read_upload(session, principal, upload_id)
    lengths = {"Upload-Length": str(upload.length), "Upload-Metadata": upload.metadata}
    return Response(headers={**_state(upload), **lengths})


@router.get("/{upload_id}", responses=problems(UploadNotFound, RoleTooLow))
async def read_upload(upload_id: UUID, principal: Reader, session: SessionDep) -> UploadRead:
    """See how many bytes of an upload are kept, and which document it has become."""
    return await service.read_upload(session, principal, upload_id)


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses={
        204: {"headers": STATE},
        **problems(
            *WRITING_PROBLEMS,
            *(UploadNotFound, DocumentNotFound, OffsetMismatch, LimitReached, ChecksumUnknown, ChecksumMismatch),
            *(OffsetStreamExpected, TusVersionUnknown),
        ),
    },
    openapi_extra={"parameters": SPEAKS_TUS, "requestBody": {"required": True, "content": BODY}},
)
async def append_to_upload(
    upload_id: UUID,
    request: Request,
    principal: Writer,
    session: SessionDep,
    upload_offset: Offset,
    upload_checksum: Checksum = None,
) -> Response:
    """Send the next bytes of a file (tus). They are encrypted and kept while they come, so a break costs little.

    The last byte makes the file a document, or the new version of one: `Upload-Document` says where it is.
    """
    with speaking_tus(request):
        _require_stream(request)
        checksum = _checksum(upload_checksum)
        upload = await service.append(session, principal, upload_id, upload_offset, body_of(request), checksum)
    return Response(status_code=204, headers=_state(upload))


@router.delete(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses={204: {"headers": RESUMABLE}, **problems(UploadNotFound, RoleTooLow, TusVersionUnknown)},
    openapi_extra={"parameters": SPEAKS_TUS},
)
async def delete_upload(upload_id: UUID, request: Request, principal: Writer, session: SessionDep) -> Response:
    """End an upload and delete what came of it (tus). A document that it has become stays."""
    with speaking_tus(request):
        await service.delete_upload(session, principal, upload_id)
    return Response(status_code=204, headers=TUS)


@contextmanager
def speaking_tus(request: Request) -> Iterator[None]:
    """See that the client speaks our version of tus; refusals name it, too. Raises `TusVersionUnknown`."""
    try:
        if request.headers.get("tus-resumable") != TUS["Tus-Resumable"]:
            raise TusVersionUnknown(headers={"Tus-Version": TUS["Tus-Resumable"]})
        yield
    except AppError as error:
        error.headers = {**error.headers, **TUS}
        raise


def _state(upload: UploadRead) -> dict[str, str]:
    headers = {
        **TUS,
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }
    if upload.document_id:
        headers["Upload-Document"] = f"/v1/vault/documents/{upload.document_id}"
    return headers


def _require_stream(request: Request) -> None:
    if request.headers.get("content-type") != STREAM:
        raise OffsetStreamExpected


def _checksum(header: str | None) -> service.Checksum | None:
    if header is None:
        return None
    checksum = service.Checksum.parse(header)
    if checksum is None:
        raise ChecksumUnknown
    return checksum


def _parsed(metadata: str) -> UploadMetadata:
    pairs = (pair.partition(" ") for pair in metadata.split(","))
    try:
        values: dict[str, Any] = {key: base64.b64decode(value, validate=True).decode() for key, _, value in pairs}
    except (binascii.Error, UnicodeDecodeError):
        raise MetadataUnreadable from None
    try:
        data = UploadMetadata.model_validate({key: value for key, value in values.items() if value})
    except ValidationError as error:
        errors = [{**each, "loc": ("header", "Upload-Metadata", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors) from None
    if not (data.vault_id or data.document_id):
        raise UploadWithoutVault
    return data
