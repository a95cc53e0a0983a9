"""Who is at the operators' page: a cookie that scripts can't read, and that opens nothing but this page.

It is signed for an audience of its own, so it is no access token, and names a session of the account: when that ends,
by sign-out, from another device or with a new password, the cookie is worth nothing. It ends by itself after
`operator_session_seconds`, and with the browser.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from app.auth import service as auth
from app.auth.devices import Device
from app.auth.factor_schemas import SecondFactorAnswer
from app.auth.parts import per_runtime
from app.auth.principal import Principal
from app.auth.schemas import TokenPair
from app.core.errors import Forbidden, NotFound, Unauthorized
from app.core.security import AccessTokens
from app.db.acting import acting_for
from app.db.runtime import Runtime, current
from app.db.session import SYSTEM, new_session, session_scope
from app.payments.policy import require_operator

SCOPE: Final = "profile"
SAFE_SITES: Final = ("same-origin", "none")


class ForeignForm(Forbidden):
    """The form was sent from a page that is not ours."""

    title = "This form is not from this page"


@per_runtime
def _tokens(runtime: Runtime) -> AccessTokens:
    settings = runtime.settings
    audience = f"{settings.token_audience}/operator"
    return AccessTokens(settings.token_key_ring, settings.token_issuer, audience, settings.operator_session_seconds)


async def sign_in(email: str, password: str, device: Device) -> str:
    """The cookie of an operator who knows the password.

    Raises `NotFound` for everybody else who does, `InvalidCredentials`, `SecondFactorRequired`, `TooManyAttempts`,
    `EmailNotVerified`.
    """
    return await _admitted(await auth.sign_in(email, password, SCOPE, device))


async def finish_sign_in(data: SecondFactorAnswer, device: Device) -> str:
    """The cookie of an operator who was asked for a second factor.

    Raises `NotFound` for everybody else, `InvalidChallenge`, `InvalidSecondFactor`, `TooManyAttempts`.
    """
    return await _admitted(await auth.finish_sign_in(data, device))


async def _admitted(pair: TokenPair) -> str:
    """Keep the session of an operator, end that of anybody else; the tokens for the API are given to nobody."""
    principal = auth.principal_of(pair.access_token)
    async with session_scope(principal.actor) as session:
        try:
            await require_operator(session, principal)
        except NotFound:
            await auth.end_this(session, principal)
            await session.commit()
            raise
    return _tokens().sign(principal.user_id, _session_of(principal), SCOPE)


def _session_of(principal: Principal) -> UUID:
    assert principal.session_id is not None  # noqa: S101  a password opens a session
    return principal.session_id


async def sign_out(request: Request) -> None:
    """End the session of the cookie, if there is one."""
    try:
        async with _entered(request) as (session, principal):
            await auth.end_this(session, principal)
            await session.commit()
    except (NotFound, Unauthorized):
        return


@asynccontextmanager
async def as_operator(request: Request) -> AsyncIterator[AsyncSession]:
    """A transaction of the system on behalf of the operator whose cookie it is. Raises `NotFound` for others."""
    try:
        async with _entered(request) as (session, principal):
            await require_operator(session, principal)
            async with acting_for(session, SYSTEM):
                yield session
    except Unauthorized:
        raise NotFound from None


@asynccontextmanager
async def _entered(request: Request) -> AsyncIterator[tuple[AsyncSession, Principal]]:
    """Raises `Unauthorized` when the cookie or its session is not good."""
    claims = _tokens().verify(request.cookies.get(cookie_name(), ""))
    principal = Principal(claims.user_id, frozenset(claims.scope.split()), claims.session_id)
    async with new_session() as session:
        await auth.enter_live_session(session, principal)
        yield session, principal


def is_https() -> bool:
    """Whether browsers come by HTTPS."""
    settings = current().settings
    return settings.environment == "production" or settings.public_url.startswith("https://")


def cookie_name() -> str:
    """The cookie's name; browsers hold `__Host-` ones to this host and to HTTPS (RFC 6265bis §4.1.3.2)."""
    return "__Host-lifevault-operator" if is_https() else "lifevault-operator"


def set_cookie(response: Response, value: str) -> Response:
    """Give the cookie out; it lives as long as the browser, at most."""
    response.set_cookie(cookie_name(), value, path="/", secure=is_https(), httponly=True, samesite="strict")
    return response


def clear_cookie(response: Response) -> Response:
    """Take the cookie back."""
    response.delete_cookie(cookie_name(), path="/", secure=is_https(), httponly=True, samesite="strict")
    return response


def require_own_form(request: Request) -> None:
    """See that a form comes from our own page, as browsers tell. Raises `ForeignForm`."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "null")
    foreign = origin != "null" and urlsplit(origin).netloc != request.headers.get("host", "")
    if site not in SAFE_SITES if site else foreign:
        raise ForeignForm
