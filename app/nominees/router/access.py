"""What the routes of legacy share: who may call them."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.conditional import ETAG
from app.api.deps import SessionDep, get_principal
from app.auth.principal import Principal
from app.nominees import service
from app.nominees.errors import InvalidNomineeToken
from app.vault.router.access import LOCATION

Reader = Annotated[Principal, Security(get_principal, scopes=["legacy:read"])]
Writer = Annotated[Principal, Security(get_principal, scopes=["legacy:write"])]

nominee_token = HTTPBearer(
    scheme_name="NomineeToken",
    bearerFormat="lvn_<secret>",
    description="The token of a nominee, of `POST /v1/nominees/token`. It opens nothing else.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(nominee_token)]

MADE = {"headers": LOCATION}
MADE_TAGGED = {"headers": ETAG | LOCATION}
A_FILE = {"description": "The file", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}


async def get_guest(credentials: Credentials, session: SessionDep) -> service.Guest:
    """A nominee who is signed in; nobody else's token is accepted."""
    if credentials is None:
        raise InvalidNomineeToken
    return await service.enter_as_nominee(session, credentials.credentials)


GuestDep = Annotated[service.Guest, Depends(get_guest)]


def content_type(request: Request) -> str:
    """What kind of body a request has."""
    return request.headers.get("content-type", "")
