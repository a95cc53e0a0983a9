"""What is destroyed is gone: rows, files and keys."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.core.config import Settings
from app.db.keys import KeysDestroyed
from app.db.runtime import Runtime, current
from app.db.session import SYSTEM, session_scope
from app.jobs.runner import run_job
from app.vault.tasks import purge_due, sweep_blobs
from tests.factories import auth, make_item, make_user, make_vault
from tests.vault.conftest import Scene, cells_of, rows_of


async def rows_left(vault_id: UUID) -> list[Any]:
    keys = await rows_of("SELECT id FROM data_keys WHERE owner_id = :vault", vault=vault_id)
    return keys + await cells_of(vault_id)


async def blobs_of(vault_id: UUID) -> list[str]:
    rows = await rows_of("SELECT blob_name FROM vault_document_versions WHERE vault_id = :vault", vault=vault_id)
    return [row.blob_name for row in rows]


def stored(settings: Settings, name: str) -> Path:
    return Path(unquote(urlsplit(settings.blob_url).path)) / name


async def run_newest(settings: Settings, kind: str, subject_id: UUID) -> None:
    query = "SELECT id FROM jobs WHERE kind = :kind AND subject_id = :subject ORDER BY id DESC LIMIT 1"
    [row] = await rows_of(query, kind=kind, subject=subject_id)
    await run_job(row.id, settings.job_lease_seconds)


async def test_a_purged_vault_leaves_no_row_no_file_and_no_key(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    url = f"/v1/vault/vaults/{scene.vault.id}"
    await client.patch(
        f"/v1/vault/items/{scene.item.id}", json={"title": "B"}, headers=auth(scene.owner) | {"If-Match": '"1"'}
    )
    await client.put(f"/v1/vault/documents/{scene.document.id}/content", content=b"v2", headers=auth(scene.owner))
    await client.post(f"{url}/invitations", json={"email": f"{uuid4().hex}@example.org"}, headers=auth(scene.owner))
    names = await blobs_of(scene.vault.id)
    assert len(names) == 2
    await client.delete(url, headers=auth(scene.owner))

    started = await client.post(f"{url}/purge", headers=auth(scene.owner))

    assert started.status_code == 202
    job = f"/v1/jobs/{started.json()['job_id']}"
    assert (await client.get(job, headers=auth(scene.owner))).json()["state"] == "queued"
    assert (await client.post(f"{url}/restore", headers=auth(scene.owner))).json()["code"] == "being-purged"
    assert (await client.post(f"{url}/purge", headers=auth(scene.owner))).json()["code"] == "being-purged"
    await run_newest(settings, "vault.purge", scene.vault.id)
    assert (await client.get(job, headers=auth(scene.owner))).json()["state"] == "succeeded"
    assert await rows_left(scene.vault.id) == []
    assert not any(stored(settings, name).exists() for name in names)
    async with session_scope(SYSTEM) as session:
        current().keys.forget(scene.vault.id)
        with pytest.raises(KeysDestroyed):
            await current().keys.ring(session, scene.vault.id)


async def test_a_purge_may_run_twice(client: httpx.AsyncClient, settings: Settings, runtime: Runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    url = f"/v1/vault/vaults/{vault.id}"
    await client.delete(url, headers=auth(owner))
    await client.post(f"{url}/purge", headers=auth(owner))
    await run_newest(settings, "vault.purge", vault.id)
    async with session_scope() as session:
        again = text("UPDATE jobs SET state = 'queued' WHERE kind = 'vault.purge' AND subject_id = :vault")
        await session.execute(again, {"vault": vault.id})

    await run_newest(settings, "vault.purge", vault.id)

    [row] = await rows_of("SELECT state FROM jobs WHERE kind = 'vault.purge' AND subject_id = :v", v=vault.id)
    assert row.state == "succeeded"


async def test_a_purged_document_leaves_no_row_and_no_file(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    url = f"/v1/vault/documents/{scene.document.id}"
    await client.put(f"{url}/content", content=b"v2", headers=auth(scene.owner))
    names = await blobs_of(scene.vault.id)
    await client.delete(url, headers=auth(scene.editor))

    assert (await client.post(f"{url}/purge", headers=auth(scene.editor))).status_code == 204

    await run_newest(settings, "vault.delete_blobs", scene.document.id)
    for table, column in (("vault_documents", "id"), ("vault_document_versions", "document_id")):
        assert await rows_of(f"SELECT id FROM {table} WHERE {column} = :id", id=scene.document.id) == []
    assert len(names) == 2
    assert not any(stored(settings, name).exists() for name in names)
    told = await rows_of(
        "SELECT id FROM outbox_events WHERE event = 'vault.document_purged' AND payload->>'document_id' = :id",
        id=str(scene.document.id),
    )
    assert len(told) == 1


async def test_the_trash_is_emptied_when_its_time_has_come(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    kept = await make_item(scene.owner, scene.vault)
    doomed = await make_vault(scene.owner)
    for path in (f"items/{scene.item.id}", f"documents/{scene.document.id}", f"vaults/{doomed.id}"):
        assert (await client.delete(f"/v1/vault/{path}", headers=auth(scene.owner))).status_code == 204

    await purge_due(utc_now() + timedelta(days=settings.trash_days, hours=-1))
    assert len(await rows_of("SELECT id FROM vault_items WHERE vault_id = :v", v=scene.vault.id)) == 2
    await purge_due(utc_now() + timedelta(days=settings.trash_days, hours=1))

    left = await rows_of("SELECT id FROM vault_items WHERE vault_id = :v", v=scene.vault.id)
    assert [row.id for row in left] == [kept.id]
    assert await rows_of("SELECT id FROM vault_documents WHERE vault_id = :v", v=scene.vault.id) == []
    await run_newest(settings, "vault.delete_blobs", scene.document.id)
    await run_newest(settings, "vault.purge", doomed.id)
    assert await rows_left(doomed.id) == []


async def test_a_file_that_no_row_names_is_swept_after_a_day(settings: Settings, scene: Scene):
    old, young = stored(settings, "0" * 32), stored(settings, "1" * 32)
    for file in (old, young):
        file.write_bytes(b"left by a crash")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    [named] = await blobs_of(scene.vault.id)
    os.utime(stored(settings, named), (yesterday, yesterday))

    assert await sweep_blobs() >= 1

    assert not old.exists()
    assert young.exists()
    assert stored(settings, named).exists()
    young.unlink()
