"""A vault with something in it, and people with different rights."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.db.base import SEALED_BY
from app.db.reseal import sealed_columns
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.jobs.runner import run_job
from app.vault import tasks
from app.vault.errors import ContentDamaged
from app.vault.schemas.documents import DocumentAccepted
from app.vault.schemas.items import ItemRead
from app.vault.schemas.vaults import VaultRead
from tests.conftest import application
from tests.factories import TestUser, auth, make_document, make_item, make_member, make_user, make_vault

__all__ = ["tasks"]  # registered by the import


@dataclass(frozen=True)
class Scene:
    """A family vault with an item and a document, its members, and somebody else."""

    vault: VaultRead
    item: ItemRead
    document: DocumentAccepted
    owner: TestUser
    admin: TestUser
    editor: TestUser
    viewer: TestUser
    member: TestUser
    stranger: TestUser

    def person(self, role: str) -> TestUser:
        user: TestUser = getattr(self, role)
        return user


@pytest.fixture
async def scene(runtime: Runtime) -> Scene:
    owner = await make_user()
    vault = await make_vault(owner)
    return Scene(
        vault=vault,
        item=await make_item(owner, vault),
        document=await make_document(owner, vault),
        owner=owner,
        admin=await make_member(vault, role="admin"),
        editor=await make_member(vault, role="editor"),
        viewer=await make_member(vault, role="viewer"),
        member=await make_member(vault, role="viewer"),
        stranger=await make_user(name="Mallory"),
    )


async def invite(client: httpx.AsyncClient, scene: Scene, email: str = "") -> str:
    """The id of an open invitation."""
    path = f"/v1/vault/vaults/{scene.vault.id}/invitations"
    response = await client.post(path, json={"email": email or f"{uuid4().hex}@example.org"}, headers=auth(scene.owner))
    assert response.status_code == 201
    return str(response.json()["id"])


async def rows_of(statement: str, **values: object) -> list[Any]:
    """What the database holds, as the system sees it."""
    async with session_scope() as session:
        return list((await session.execute(text(statement), values)).all())


async def run_jobs(settings: Settings, kind: str) -> None:
    """Do the work of one kind that waits, without that of others."""
    for row in await rows_of("SELECT id FROM jobs WHERE kind = :kind AND state = 'queued' ORDER BY id", kind=kind):
        await run_job(row.id, settings.job_lease_seconds)


async def cells_of(owner_id: UUID) -> list[tuple[str, UUID]]:
    """Every sealed cell of a vault or a person, in whatever room: its table, and the key that it stands under."""
    found: list[tuple[str, UUID]] = []
    for table, column in sealed_columns():
        statement = f"SELECT key_id FROM {table.name} WHERE {column.info[SEALED_BY]} = :owner"
        found += [(table.name, row.key_id) for row in await rows_of(statement, owner=owner_id)]
    return found


async def speak(
    runtime: Runtime, method: str, path: str, headers: dict[str, str], messages: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What the application sends, spoken to directly: httpx neither hangs up nor shows an answer that breaks off."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("lifevault.test", 80),
    }
    with suppress(ContentDamaged, RuntimeError):  # the server that carries an application hangs up when it raises
        await application(runtime.settings)(scope, receive, send)
    return sent
