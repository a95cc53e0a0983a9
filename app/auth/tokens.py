"""Access tokens: from a session to a token, from a token to a principal."""

import time
from collections import OrderedDict
from datetime import datetime
from uuid import UUID

from app.auth.errors import UnknownScope
from app.auth.parts import access_tokens, per_runtime
from app.auth.principal import EVERY_SCOPE, SCOPES, Principal
from app.auth.schemas import TokenPair
from app.db.runtime import Runtime

REMEMBER_TOKENS = 4_096


def requested_scope(scope: str) -> str | None:
    """A scope as it was asked for, in our order; None for all. Raises `UnknownScope`."""
    names = set(scope.split(" ")) - {""}
    if names - SCOPES.keys():
        raise UnknownScope
    return " ".join(name for name in SCOPES if name in names) or None


def token_pair(
    user_id: UUID, session_id: UUID, scope: str | None, refresh_token: str, deletion_at: datetime | None = None
) -> TokenPair:
    """What a client gets: a fresh access token beside the refresh token."""
    scope = scope or EVERY_SCOPE
    return TokenPair(
        access_token=access_tokens().sign(user_id, session_id, scope),
        refresh_token=refresh_token,
        token_type="bearer",  # noqa: S106
        expires_in=access_tokens().seconds,
        scope=scope,
        deletion_at=deletion_at,
    )


class Verified:
    """The principals of tokens that were verified already, until they expire: a verification costs about 100 µs."""

    def __init__(self) -> None:
        self._principals: OrderedDict[str, tuple[int, Principal]] = OrderedDict()

    def get(self, token: str) -> Principal | None:
        """The principal of a token that is still valid."""
        expires_at, principal = self._principals.get(token, (0, None))
        if expires_at > time.time():
            self._principals.move_to_end(token)
            return principal
        self._principals.pop(token, None)
        return None

    def add(self, token: str, expires_at: int, principal: Principal) -> None:
        """Remember a token; the one that was not seen for longest makes room."""
        self._principals[token] = (expires_at, principal)
        if len(self._principals) > REMEMBER_TOKENS:
            self._principals.popitem(last=False)


@per_runtime
def _verified(_: Runtime) -> Verified:
    return Verified()


def principal_of(token: str) -> Principal:
    """Whom an access token speaks for; its session may have ended since. Raises `InvalidToken`."""
    verified = _verified()
    principal = verified.get(token)
    if principal is None:
        claims = access_tokens().verify(token)
        principal = Principal(claims.user_id, frozenset(claims.scope.split()), claims.session_id)
        verified.add(token, claims.expires_at, principal)
    return principal
