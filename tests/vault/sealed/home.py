"""People with sealed accounts on a real server: the reference client runs in a thread, its requests in our loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import text

from app.auth.parts import throttle
from app.auth.service import email_digest
from app.db.session import session_scope
from app.sealed.client import SealedClient
from app.sealed.http import HttpTransport, Send
from app.sealed.members import Role
from app.sealed.vault import SealedVault
from app.vault.service.invitations import TO_ADDRESS
from tests.factories import TestUser, auth, make_user
from tests.vault.test_members import token_of

P = ParamSpec("P")
T = TypeVar("T")
VAULTS = "/v1/vault/sealed/vaults"


def password(name: str) -> str:
    return f"{name}'s long password"


def sender(client: httpx.AsyncClient, user: TestUser) -> Send:
    """Requests by a person, out of a thread, to the application in this loop."""
    loop = asyncio.get_running_loop()

    def send(method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
        headers = auth(user) | {"Content-Type": content_type}
        asked = client.request(method, path, content=body, headers=headers)
        response = asyncio.run_coroutine_threadsafe(asked, loop).result(60)
        return response.status_code, response.content

    return send


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(call, *args, **kwargs)


@dataclass
class Person:
    """Somebody with an open sealed account on a device."""

    user: TestUser
    sealed: SealedClient
    recovery: str

    @property
    def id(self) -> UUID:
        return self.user.id

    async def open(self, vault: UUID) -> SealedVault:
        return await in_thread(self.sealed.open_vault, vault)


async def make_person(client: httpx.AsyncClient, name: str) -> Person:
    user = await make_user(name=name)
    transport = HttpTransport(sender(client, user))
    made, recovery = await in_thread(SealedClient.create_account, transport, password(name), user.id)
    return Person(user, made, recovery)


async def invite(client: httpx.AsyncClient, host: Person, guest: Person, vault: UUID, role: str) -> None:
    """An invitation, and that it is accepted; the guest waits then. However many came before."""
    counted = throttle()
    await counted.clear(TO_ADDRESS, email_digest(guest.user.email).hex())
    body = {"email": guest.user.email, "role": role}
    made = await client.post(f"/v1/vault/vaults/{vault}/invitations", json=body, headers=auth(host.user))
    assert made.status_code == 201, made.text
    token = {"token": await token_of(vault)}
    path = "/v1/vault/sealed/invitations/accept"
    accepted = await client.post(path, json=token, headers=auth(guest.user))
    assert accepted.status_code == 200, accepted.text


async def introduce(one: Person, other: Person) -> None:
    """Two people read their words to each other."""
    await in_thread(one.sealed.trust, other.id, other.sealed.fingerprint)
    await in_thread(other.sealed.trust, one.id, one.sealed.fingerprint)


async def let_in(client: httpx.AsyncClient, host: Person, guest: Person, vault: SealedVault, role: str) -> SealedVault:
    """A guest invited, compared and let in; the vault in their hands."""
    await invite(client, host, guest, vault.id, role)
    await introduce(host, guest)
    await in_thread(vault.add_member, guest.id, Role(role))
    return await in_thread(guest.sealed.join_vault, vault.id, host.id)


async def rows(statement: str, **values: object) -> list[tuple[object, ...]]:
    """What the database holds, as the system sees it."""
    async with session_scope() as session:
        return [tuple(row) for row in (await session.execute(text(statement), values)).all()]
