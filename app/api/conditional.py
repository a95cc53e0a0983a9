"""Answers that a client may have already: 304 instead of the same once more (RFC 9110 §13.1.2)."""

from typing import Annotated, Any, Final

from fastapi import Header
from starlette.responses import Response

from app.core.etags import etag_of, matches
from app.core.schemas import ResponseModel
from app.db.runtime import current

IfNoneMatch = Annotated[str | None, Header(max_length=200, description="The ETag that you have.", examples=['"1"'])]

ENTITY_TAG = {"type": "string", "pattern": '^"[^"]+"$'}
ETAG = {"ETag": {"description": "Send it back as If-Match or If-None-Match.", "required": True, "schema": ENTITY_TAG}}
TAGGED = {"headers": ETAG}
NOT_MODIFIED = {"description": "Still what If-None-Match says", "headers": ETAG}
LIST_TAG = {
    "ETag": {
        "description": "Send it back as If-None-Match. A weak one belongs to an answer that was compressed.",
        "required": True,
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]+"$'},
    }
}
LISTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": LIST_TAG},
    304: {"description": "Still what If-None-Match says", "headers": LIST_TAG},
}
"""The `responses` of a list whose tag is that of its content."""


def unless_same(page: ResponseModel, if_none_match: str | None, *, tagged: bytes | None = None) -> Response:
    """A page with the tag of its content, or of what is given instead; 304 for a client that has it already."""
    content = page.to_json()
    tag = etag_of(content if tagged is None else tagged, current().settings.lookup_key_bytes)
    if if_none_match is not None and matches(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, headers={"ETag": tag}, media_type="application/json")
