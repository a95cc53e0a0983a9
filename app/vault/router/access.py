"""What the routes of vaults share: who may call them, filters, preconditions."""

from typing import Annotated, TypeVar

from fastapi import Header, Path, Response, Security

from app.api.conditional import ETAG
from app.api.deps import get_principal
from app.auth.principal import Principal
from app.core.etags import etag, matches

Shown = TypeVar("Shown")

Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["vault:write"])]

Revision = Annotated[int, Path(ge=1, le=2**31 - 1)]
IfMatch = Annotated[str | None, Header(max_length=200, description="The ETag that you have read.", examples=['"1"'])]

PATH = {"type": "string", "pattern": "^/v1/"}
LOCATION = {"Location": {"description": "The path of what was made.", "required": True, "schema": PATH}}
MADE = {"headers": ETAG | LOCATION}


def tag(response: Response, revision: int) -> None:
    """Say which revision the answer is."""
    response.headers["ETag"] = etag(revision)


def unless_known(shown: Shown, revision: int, response: Response, if_none_match: str | None) -> Shown | Response:
    """The answer with its ETag, or 304 for a client that has it already."""
    if if_none_match is not None and matches(if_none_match, etag(revision)):
        return Response(status_code=304, headers={"ETag": etag(revision)})
    tag(response, revision)
    return shown
