"""What routers ask for: a session, a principal."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.api import replicas
from app.api.limits import CONSUMER, client_address
from app.auth import service
from app.auth.devices import Device
from app.auth.principal import SCOPES, Principal
from app.core.config import Settings
from app.core.errors import Forbidden, Unauthorized
from app.core.security import InvalidToken
from app.db.session import new_session

oauth2 = OAuth2PasswordBearer(tokenUrl="/v1/auth/token", refreshUrl="/v1/auth/refresh", scopes=SCOPES, auto_error=False)


async def get_session(request: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """One transaction for the request, committed before the answer is sent."""
    session = new_session()  # its transaction begins with the first statement
    replicas.prepare(session, request)
    try:
        yield session
        await session.commit()  # which gives the connection back
        await replicas.note_change(session, request)
    except BaseException:
        async with session:  # rolls back, even while the request is being cancelled
            raise


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_principal(
    security: SecurityScopes, session: SessionDep, token: Annotated[str | None, Depends(oauth2)], request: Request
) -> Principal:
    """The signed-in principal, whose rows alone the session sees from here on."""
    consumer: Principal | None = request.scope.get("state", {}).get(CONSUMER)
    if token is not None:
        principal = await enter(session, token, request)
    elif consumer is not None:
        await service.enter_linked(session, principal := consumer)
    else:
        raise Unauthorized
    missing = sorted(set(security.scopes) - principal.scopes)
    if missing:
        raise Forbidden(f"The token lacks the scope {missing[0]}")
    return principal


async def enter(session: AsyncSession, token: str, request: HTTPConnection) -> Principal:
    """Begin the transaction for whom a token speaks: an access token of ours, an API key, a foreign JWT.

    Raises `Unauthorized`, `TooManyRequests`.
    """
    if service.is_api_key(token):
        return await service.enter_by_api_key(session, token, device_of(request))
    try:
        principal = service.principal_of(token)
    except InvalidToken:
        return await service.enter_by_foreign_token(session, token)
    await service.enter_live_session(session, principal)
    return principal


def device_of(request: HTTPConnection) -> Device:
    """Where a request comes from."""
    address = client_address(request.scope, get_settings(request).trusted_proxies)
    return service.device(request.headers.get("user-agent", ""), address)


def get_settings(request: HTTPConnection) -> Settings:
    """The settings that the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(get_settings)]
