"""What the routes of accounts ask for: who is asking, and from where."""

from typing import Annotated

from fastapi import Depends, Request, Security

from app.api.deps import device_of, get_principal
from app.auth import service
from app.auth.devices import Device
from app.auth.principal import Principal


async def get_person(principal: Annotated[Principal, Security(get_principal)]) -> Principal:
    """A person who is signed in; a program with an API key is refused."""
    service.require_session(principal)
    return principal


async def get_device(request: Request) -> Device:
    """Where the request comes from."""
    return device_of(request)


SignedIn = Annotated[Principal, Security(get_person)]
Self = Annotated[Principal, Security(get_principal, scopes=["profile"])]
Person = Annotated[Principal, Security(get_person, scopes=["profile"])]
DeviceDep = Annotated[Device, Depends(get_device)]
