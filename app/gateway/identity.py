"""Who asks, and how a service is told: by a token of ours that lives for a minute and is good there only."""

import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.requests import HTTPConnection

from app.api.deps import enter
from app.api.limits import CONSUMER
from app.auth.principal import SCOPES, Principal
from app.core.clock import new_id
from app.core.config import Settings
from app.core.errors import Forbidden, Unauthorized
from app.core.routing import Route, Service
from app.db.session import new_session

ALGORITHM: Final = "HS256"
TOKEN_TYPE: Final = "gateway"  # noqa: S105  what an access token is not
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs who asks, for one service."""

    service: str
    key: bytes
    issuer: str
    seconds: int

    def sign(self, principal: Principal | None, request_id: str) -> str:
        """A JWT: `sub` the account, zeros for nobody, `aud` the service, `scope`, and `req`, the request it is for."""
        from jose import jwt  # noqa: PLC0415 (takes a while to import)

        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.service,
            "sub": str(principal.user_id if principal else NOBODY),
            "scope": " ".join(sorted(principal.scopes)) if principal else "",
            "iat": now,
            "exp": now + self.seconds,
            "jti": str(new_id()),
            "typ": TOKEN_TYPE,
            "req": request_id,
        }
        return str(jwt.encode(claims, self.key, algorithm=ALGORITHM, headers={"kid": self.service}))


def signer_of(settings: Settings, name: str, service: Service) -> Signer | None:
    """What signs for a service; None if nothing is to be signed, or no key is set."""
    key = settings.gateway_key_ring.get(name)
    if service.identity != "signed" or key is None:
        return None
    return Signer(name, key, settings.token_issuer, service.identity_seconds)


async def caller_of(connection: HTTPConnection, token: str | None = None) -> Principal | None:
    """Who asks, if anybody says so. Raises `Unauthorized`, `TooManyRequests`."""
    if token is None:
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            consumer: Principal | None = connection.scope.get("state", {}).get(CONSUMER)
            return consumer
    async with new_session() as session:
        principal = await enter(session, token, connection)
        await session.commit()
    return principal


async def admitted(connection: HTTPConnection, route: Route, token: str | None = None) -> Principal | None:
    """Who asks; None for somebody whom the route lets in without a sign-in. Raises as `caller_of`, and `Forbidden`."""
    try:
        principal = await caller_of(connection, token)
    except Unauthorized:
        if not route.anonymous:
            raise
        return None
    if principal is None and not route.anonymous:
        raise Unauthorized
    return principal


def check_scopes(principal: Principal | None, route: Route) -> None:
    """A service knows nothing of scopes, so only who may do everything is passed on, unless the route says otherwise.

    Raises `Forbidden`.
    """
    if missing := _missing(principal, route):
        raise Forbidden(f"The token lacks the scope {missing[0]}")


def may_pass(principal: Principal | None, route: Route) -> bool:
    """Whether a request of theirs may reach the service."""
    return route.anonymous if principal is None else not _missing(principal, route)


def _missing(principal: Principal | None, route: Route) -> list[str]:
    return sorted((route.scopes or SCOPES.keys()) - principal.scopes) if principal else []
