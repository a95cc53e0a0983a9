"""Downloads: every byte is verified before it leaves."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Protocol
from urllib.parse import quote
from uuid import UUID

from fastapi import Header, Query, Response
from starlette.responses import StreamingResponse

from app.api.conditional import ENTITY_TAG, IfNoneMatch
from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.core.etags import etag, matches
from app.vault import service
from app.vault.errors import ContentDamaged, DocumentNotFound, NoSuchRange, VersionNotFound
from app.vault.ranges import chosen_range
from app.vault.router.access import Reader

FILE = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
HEADERS = {
    "ETag": {"description": "The digest of the content.", "required": True, "schema": ENTITY_TAG},
    "Accept-Ranges": {"required": True, "schema": {"const": "bytes"}},
    "Content-Disposition": {"description": "The name of the file.", "required": True, "schema": {"type": "string"}},
}
CONTENT_RANGE = {"Content-Range": {"description": "Which bytes.", "required": True, "schema": {"type": "string"}}}
WHOLE = {"description": "The file", "content": FILE, "headers": HEADERS}
PART = {"description": "The bytes of the range", "content": FILE, "headers": HEADERS | CONTENT_RANGE}
KNOWN = {"description": "Still what If-None-Match says", "headers": HEADERS}
DESCRIBED = {"description": "What a download says of itself", "headers": HEADERS}

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The number of an earlier version.")]
Range = Annotated[
    str | None, Header(alias="Range", max_length=200, description="One range of bytes.", examples=["bytes=0-1023"])
]
IfRange = Annotated[str | None, Header(max_length=200, description="The ETag for which the range is meant.")]

router = Router(prefix="/documents")


class Downloadable(Protocol):
    """A sealed file that is ready to be read."""

    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...

    def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The plaintext bytes [start, end)."""


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
    """Download the file of a document, whole or one range of it."""
    content = await service.open_document(session, principal, document_id, version)
    tag = etag(content.sha256)
    if if_none_match is not None and matches(if_none_match, tag):
        return Response(status_code=304, headers=headers_of(content))
    wanted = range_header if if_range in (None, tag) else None
    await service.record_download(session, principal, content, whole=wanted is None)
    return await streamed(content, wanted)


@router.head(
    "/{document_id}/content",
    response_class=Response,
    responses={200: DESCRIBED, **problems(DocumentNotFound, VersionNotFound, ContentDamaged)},
)
async def describe_content(
    document_id: UUID, principal: Reader, session: SessionDep, version: Version = None
) -> Response:
    """See size, type and digest of the file of a document."""
    content = await service.open_document(session, principal, document_id, version)
    return Response(headers=headers_of(content) | {"Content-Length": str(content.size)})


async def streamed(content: Downloadable, range_header: str | None = None) -> StreamingResponse:
    """A file, or the range of it that is asked for, as it is decrypted. Raises `NoSuchRange`, `ContentDamaged`."""
    part = chosen_range(range_header, content.size)
    start, end = part or (0, content.size)
    headers = headers_of(content) | {"Content-Length": str(end - start)}
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    chunks = content.chunks(start, end)
    first = await anext(chunks)  # damage here is said before the answer begins; later it breaks the answer off
    return StreamingResponse(_chained(first, chunks), 206 if part else 200, headers)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def headers_of(content: Downloadable) -> dict[str, str]:
    """What every download says of itself."""
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
