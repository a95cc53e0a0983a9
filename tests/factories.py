"""People and things for tests: async functions with keyword defaults; each commits what it makes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from app.auth import accounts, sessions
from app.auth.devices import device
from app.auth.principal import Principal
from app.auth.profiles import Profile
from app.auth.tokens import token_pair
from app.core.clock import new_id
from app.core.security import hash_password
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.vault import service as vaults
from app.vault.cells import seal_body
from app.vault.models import members
from app.vault.schemas.documents import DocumentAccepted, DocumentCreate
from app.vault.schemas.items import ItemCreate, ItemRead
from app.vault.schemas.vaults import Kind, VaultCreate, VaultRead

PASSWORD = "correct horse battery"
_hashes: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class TestUser:
    """A person with an open session."""

    __test__ = False

    id: UUID
    email: str
    name: str
    password: str
    session_id: UUID
    access_token: str
    refresh_token: str


def auth(user: TestUser) -> dict[str, str]:
    """The headers of a request by this person."""
    return {"Authorization": f"Bearer {user.access_token}"}


async def make_user(
    *,
    email: str | None = None,
    name: str = "Ada Lovelace",
    password: str = PASSWORD,
    verified: bool = True,
    scope: str | None = None,
    user_agent: str = "LifeVault-Tests/1.0",
    address: str = "203.0.113.7",
) -> TestUser:
    """A person who is signed in; without `scope` with every scope."""
    email = email or f"{uuid4().hex}@example.com"
    if password not in _hashes:
        _hashes[password] = await hash_password(password)
    async with session_scope() as session:
        user_id, _ = await accounts.add_user(session, Profile(email, name), _hashes[password])
        if verified:
            await accounts.mark_verified(session, user_id)
        session_id, refresh_token = await sessions.start(session, user_id, scope, device(user_agent, address))
    pair = token_pair(user_id, session_id, scope, refresh_token)
    return TestUser(user_id, email, name, password, session_id, pair.access_token, refresh_token)


def principal_of(user: TestUser, *, scopes: str = "vault:read vault:write") -> Principal:
    """The person as services know them."""
    return Principal(user.id, frozenset(scopes.split()), user.session_id)


async def make_vault(owner: TestUser, *, name: str = "Family papers", kind: Kind = "family") -> VaultRead:
    """A vault."""
    async with session_scope(Actor.user(owner.id)) as session:
        return await vaults.create_vault(session, principal_of(owner), VaultCreate(name=name, kind=kind))


async def make_member(vault: VaultRead, *, role: str = "editor", user: TestUser | None = None) -> TestUser:
    """A member of a vault, somebody new if `user` is left out."""
    user = user or await make_user(name="Grace Hopper")
    member_id = new_id()
    async with session_scope(Actor.vault(vault.id)) as session:
        ring = await current().keys.ring(session, vault.id)
        body = seal_body(ring, members, member_id, {"name": user.name, "email": user.email})
        ids = {"id": member_id, "vault_id": vault.id, "user_id": user.id}
        await session.execute(insert(members).values(**ids, role=role, body=body))
    return user


async def hand_over(vault: VaultRead, owner: TestUser, heir: TestUser) -> None:
    """Make a member the owner of a vault, as both of them do it."""
    async with session_scope(Actor.user(owner.id)) as session:
        await vaults.offer_vault(session, principal_of(owner), vault.id, heir.id)
    async with session_scope(Actor.user(heir.id)) as session:
        await vaults.accept_transfer(session, principal_of(heir), vault.id)


async def make_item(
    owner: TestUser,
    vault: VaultRead,
    *,
    type: str = "passport",
    title: str = "Ada's passport",
    fields: dict[str, Any] | None = None,
    notes: str = "",
    tags: tuple[str, ...] = (),
) -> ItemRead:
    """An item."""
    values = {"type": type, "title": title, "fields": fields or {}, "notes": notes, "tags": list(tags)}
    async with session_scope(Actor.user(owner.id)) as session:
        data = ItemCreate.model_validate({"vault_id": vault.id, **values})
        return await vaults.create_item(session, principal_of(owner), data)


async def make_document(
    owner: TestUser,
    vault: VaultRead,
    *,
    content: bytes = b"The excess is 250 euros.\n",
    name: str = "policy.txt",
    title: str | None = None,
    tags: tuple[str, ...] = (),
) -> DocumentAccepted:
    """A document with one version."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    data = DocumentCreate.model_validate({"vault_id": vault.id, "title": title, "tags": list(tags)})
    async with vaults.stored_file(pieces(), name) as file, session_scope(Actor.user(owner.id)) as session:
        return await vaults.create_document(session, principal_of(owner), data, file)
