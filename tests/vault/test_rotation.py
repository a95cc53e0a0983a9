"""A new data key for a vault: nothing is lost, nothing stays under the old one."""

import asyncio
import os
import subprocess
import sys
from base64 import b64decode
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core.config import Settings
from app.core.crypto import RootKeys, SealBroken
from app.db.keys import KeyRing
from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.jobs import service as jobs
from app.jobs.models import Job
from app.jobs.runner import run_job
from app.jobs.service import JobRun
from app.vault import service
from tests.conftest import random_key
from tests.factories import auth, make_document, make_item, make_member
from tests.vault.conftest import Scene, cells_of, invite, rows_of

pytestmark = pytest.mark.slow

LONGEST_REQUEST_SECONDS = 3  # on a busy machine; an exchange waits for as long, so that nothing is written too late


async def ring_of(vault_id: UUID) -> KeyRing:
    current().keys.forget(vault_id)
    async with session_scope() as session:
        return await current().keys.ring(session, vault_id)


async def start(vault_id: UUID) -> UUID:
    async with session_scope() as session:
        return await service.rotate_vault_key(session, vault_id)


async def write_cell(item_id: UUID, cell: bytes) -> None:
    async with session_scope() as session:
        statement = text("UPDATE vault_items SET body = :cell WHERE id = :item")
        await session.execute(statement, {"cell": cell, "item": item_id})


async def rotate(vault_id: UUID, *, settle_seconds: float = 0) -> None:
    job_id = await start(vault_id)
    run = await jobs.take(job_id, 60)
    assert run is not None
    await reseal(run, vault_id, settle_seconds)


async def reseal(run: JobRun, vault_id: UUID, settle_seconds: float) -> None:
    """All the calls of the job, without giving it back to the queue in between."""
    if wait := await service.reseal_vault(run, vault_id, settle_seconds):
        await asyncio.sleep(wait)
        await reseal(run, vault_id, settle_seconds)


async def test_every_cell_stands_under_the_new_key_and_the_old_one_is_gone(client: httpx.AsyncClient, scene: Scene):
    await client.patch(
        f"/v1/vault/items/{scene.item.id}", json={"tags": ["car"]}, headers=auth(scene.owner) | {"If-Match": '"1"'}
    )
    await client.put(f"/v1/vault/documents/{scene.document.id}/content", content=b"v2", headers=auth(scene.owner))
    await invite(client, scene)
    paths = [
        f"vaults/{scene.vault.id}",
        f"vaults/{scene.vault.id}/members",
        f"vaults/{scene.vault.id}/invitations",
        f"items/{scene.item.id}",
        f"items/{scene.item.id}/versions",
        f"items?vault_id={scene.vault.id}&tag=car",
        f"documents/{scene.document.id}",
        f"documents/{scene.document.id}/content",
        f"documents/{scene.document.id}/content?version=1",
    ]
    before = [(await client.get(f"/v1/vault/{path}", headers=auth(scene.owner))).content for path in paths]
    old = await ring_of(scene.vault.id)
    cells = await cells_of(scene.vault.id)
    assert {table for table, _ in cells} >= {
        "vaults",
        "vault_members",
        "vault_invitations",
        "vault_items",
        "vault_item_versions",
        "vault_documents",
        "vault_document_versions",
        "notifications_mails",
    }

    await rotate(scene.vault.id)

    new = await ring_of(scene.vault.id)
    assert list(new.by_id) == [new.current.id]
    assert new.current.id not in old.by_id
    assert {key for _, key in await cells_of(scene.vault.id)} == {new.current.id}
    assert len(await cells_of(scene.vault.id)) == len(cells)
    assert [(await client.get(f"/v1/vault/{path}", headers=auth(scene.owner))).content for path in paths] == before
    again = await make_document(scene.owner, scene.vault, content=b"v2")
    assert again.duplicate_of == scene.document.id


async def test_what_is_written_during_the_exchange_is_kept(client: httpx.AsyncClient, scene: Scene):
    titles = {f"{scene.item.id}": scene.item.title}

    async def write(writer: str) -> None:
        for turn in range(10):
            item = await make_item(scene.editor, scene.vault, title=f"{writer}-{turn}")
            headers = auth(scene.editor) | {"If-Match": '"1"'}
            data = {"title": f"{writer}-{turn}-b"}
            changed = await client.patch(f"/v1/vault/items/{item.id}", json=data, headers=headers)
            assert changed.status_code == 200
            titles[str(item.id)] = data["title"]

    for exchange in range(3):
        writers = [write(f"{exchange}-{number}") for number in range(4)]
        await asyncio.gather(rotate(scene.vault.id, settle_seconds=LONGEST_REQUEST_SECONDS), *writers)

    assert len(titles) == 121
    for item_id, title in titles.items():
        read = await client.get(f"/v1/vault/items/{item_id}", headers=auth(scene.viewer))
        assert (read.status_code, read.json()["title"]) == (200, title)
        if title != scene.item.title:
            versions = await client.get(f"/v1/vault/items/{item_id}/versions", headers=auth(scene.viewer))
            assert [each["title"] for each in versions.json()["items"]] == [title.removesuffix("-b")]


async def test_a_process_that_still_seals_with_the_old_key_loses_nothing(client: httpx.AsyncClient, scene: Scene):
    stale = await ring_of(scene.vault.id)
    job_id = await start(scene.vault.id)
    run = await jobs.take(job_id, 60)
    assert run is not None
    exchange = asyncio.create_task(reseal(run, scene.vault.id, 1.0))
    await asyncio.sleep(0.5)  # everything is sealed anew by now, and the exchange waits for stragglers

    cell = stale.seal("vault_items", scene.item.id, "body", b'{"title":"Late","fields":{},"notes":"","tags":[]}')
    await write_cell(scene.item.id, cell)
    await exchange

    read = await client.get(f"/v1/vault/items/{scene.item.id}", headers=auth(scene.viewer))
    assert read.json()["title"] == "Late"


async def test_nothing_can_be_written_under_a_key_that_is_gone(scene: Scene):
    stale = await ring_of(scene.vault.id)
    await rotate(scene.vault.id)
    cell = stale.seal("vault_items", scene.item.id, "body", b"{}")

    with pytest.raises(IntegrityError):
        await write_cell(scene.item.id, cell)


async def test_no_key_is_destroyed_while_a_cell_needs_it(scene: Scene):
    async with session_scope() as session:
        await current().keys.rotate(session, scene.vault.id)

    with pytest.raises(IntegrityError):
        async with session_scope() as session:
            await current().keys.destroy_retired(session, scene.vault.id)
    current().keys.forget(scene.vault.id)


async def test_a_process_that_does_not_know_the_new_key_yet_reads_it(client: httpx.AsyncClient, scene: Scene):
    stale = await ring_of(scene.vault.id)
    await rotate(scene.vault.id)
    current().keys._rings[scene.vault.id] = (float("inf"), stale)

    read = await client.get(f"/v1/vault/items/{scene.item.id}", headers=auth(scene.viewer))

    assert (read.status_code, read.json()["title"]) == (200, scene.item.title)


async def test_an_exchange_that_was_interrupted_goes_on(scene: Scene):
    members = [await make_member(scene.vault) for _ in range(2)]
    job_id = await start(scene.vault.id)
    for seconds in (0.02, 0.05, 0.1):
        run = await jobs.take(job_id, 60)
        assert run is not None
        with pytest.raises((TimeoutError, asyncio.TimeoutError)):
            await asyncio.wait_for(reseal(run, scene.vault.id, 60), seconds)
        async with session_scope() as session:
            await session.execute(text("UPDATE jobs SET state = 'queued' WHERE id = :job"), {"job": job_id})

    run = await jobs.take(job_id, 60)
    assert run is not None
    await reseal(run, scene.vault.id, 0)

    rows = await rows_of("SELECT version FROM data_keys WHERE owner_id = :vault", vault=scene.vault.id)
    assert [row.version for row in rows] == [2]
    new = await ring_of(scene.vault.id)
    assert {key for _, key in await cells_of(scene.vault.id)} == {new.current.id}
    assert len(members) == 2


async def test_a_damaged_cell_stops_the_exchange_and_its_key_stays(settings: Settings, scene: Scene):
    async with session_scope() as session:
        flip = "set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1)"
        await session.execute(text(f"UPDATE vault_items SET body = {flip} WHERE id = :id"), {"id": scene.item.id})

    with pytest.raises(SealBroken):
        await rotate(scene.vault.id)

    assert len((await ring_of(scene.vault.id)).by_id) == 2


async def test_the_owner_starts_it_and_follows_it(client: httpx.AsyncClient, scene: Scene):
    started = await client.post(f"/v1/vault/vaults/{scene.vault.id}/rotate-key", headers=auth(scene.owner))

    assert started.status_code == 202
    job = await client.get(f"/v1/jobs/{started.json()['job_id']}", headers=auth(scene.owner))
    assert (job.json()["kind"], job.json()["state"]) == ("vault.reseal", "queued")


def environment_of(settings: Settings) -> dict[str, str]:
    secrets = ("database_url", "root_keys", "token_keys", "lookup_key")
    values = {name: getattr(settings, name).get_secret_value() for name in secrets} | {"blob_url": settings.blob_url}
    return dict(os.environ) | {f"LIFEVAULT_{name.upper()}": value for name, value in values.items()}


def command(environment: dict[str, str], *arguments: str) -> Any:
    code = "from app.cli.keys import keys_app; keys_app()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


async def test_a_new_root_key_takes_over_and_the_old_one_is_not_needed_any_more(
    own_database: Runtime, client: httpx.AsyncClient, scene: Scene
):
    versions = "SELECT DISTINCT root_version FROM data_keys"
    assert [row.root_version for row in await rows_of(versions)] == [1]
    environment = environment_of(own_database.settings)
    only_new = f"7:{random_key()}"
    both = environment | {"LIFEVAULT_ROOT_KEYS": f"{environment['LIFEVAULT_ROOT_KEYS']},{only_new}"}

    done = await asyncio.to_thread(command, both, "rotate-root")

    assert done.returncode == 0, done.stderr
    assert [row.root_version for row in await rows_of(versions)] == [7]
    own_database.keys._root_keys = RootKeys({7: b64decode(only_new[2:])})
    own_database.keys._rings.clear()
    read = await client.get(f"/v1/vault/items/{scene.item.id}", headers=auth(scene.viewer))
    assert (read.status_code, read.json()["title"]) == (200, scene.item.title)


async def test_the_command_queues_the_exchange_of_a_vault(settings: Settings, scene: Scene):
    environment = environment_of(settings)
    done = await asyncio.to_thread(command, environment, "rotate-vault", str(scene.vault.id))
    unknown = await asyncio.to_thread(command, environment, "rotate-vault", str(scene.item.id))

    assert done.returncode == 0, done.stderr
    [row] = await rows_of("SELECT id FROM jobs WHERE kind = 'vault.reseal' AND vault_id = :v", v=scene.vault.id)
    assert str(row.id) in done.stdout
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "There is no such vault.")


async def test_an_exchange_that_was_interrupted_long_ago_need_not_wait_again(settings: Settings, scene: Scene):
    job_id = await start(scene.vault.id)
    async with session_scope() as session:
        new = await current().keys.rotate(session, scene.vault.id)
        aged = text("UPDATE data_keys SET created_at = now() - interval '1 hour' WHERE owner_id = :vault")
        await session.execute(aged, {"vault": scene.vault.id})

    await run_job(job_id, settings.job_lease_seconds)

    [row] = await rows_of("SELECT state, step FROM jobs WHERE id = :id", id=job_id)
    assert (row.state, row.step) == ("succeeded", "done")
    assert {key for _, key in await cells_of(scene.vault.id)} == {new.current.id}


async def test_asking_twice_starts_one_exchange(scene: Scene):
    assert await start(scene.vault.id) == await start(scene.vault.id)


async def test_an_exchange_gives_the_worker_free_while_it_waits(scene: Scene, settings):
    job_id = await start(scene.vault.id)
    await run_job(job_id, settings.job_lease_seconds)

    async with session_scope() as session:
        job = await session.get(Job, job_id)
    assert job is not None
    assert (job.state, job.step, job.attempts) == ("queued", "settling", 0)
