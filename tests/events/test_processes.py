"""Events across processes: what one does another one tells, also after it was killed; and a pooler in between."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect

from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import session_scope
from tests.api.test_metrics import value
from tests.conftest import application
from tests.events.conftest import EVENTS, WAIT_SECONDS, Following, following, parsed
from tests.factories import TestUser, auth, make_item, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.serving import api_process, environment_of, served
from tests.stack import free_port
from tests.vault.conftest import Scene, scene

__all__ = ["scene"]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BURST = 1_000
ROUNDS = 60


def api(settings: Settings, port: int, **changed: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    options = ("--http", "app.api.serving:DrainingProtocol", "--timeout-graceful-shutdown", "15")
    return api_process(environment_of(settings, **changed), port, *options)


async def test_one_process_tells_what_another_did_and_after_kill_9_nothing_is_missing(settings: Settings, scene: Scene):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with api(settings, port) as process:
        async with following(url, scene.viewer) as listening:
            seen = [await make_item(scene.owner, scene.vault) for _ in range(3)]
            for item in seen:
                await listening.told_of(item.id)
            process.send_signal(signal.SIGKILL)
            missed = [await make_item(scene.owner, scene.vault) for _ in range(3)]
            await listening.closed()
    with api(settings, port):
        async with following(url, scene.viewer, since=listening.cursor) as again:
            missed.append(await make_item(scene.owner, scene.vault))
            for item in missed:
                await again.told_of(item.id)

    assert again.messages[0]["cursor"] == listening.cursor


async def test_a_restart_is_told_to_sockets_and_streams_and_waits_for_nobody(settings: Settings, scene: Scene):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with api(settings, port) as process:
        async with following(url, scene.viewer) as listening, httpx.AsyncClient(timeout=WAIT_SECONDS) as client:
            headers = {**auth(scene.viewer), "Accept": "text/event-stream"}
            async with client.stream("GET", url + EVENTS, headers=headers) as stream:
                lines = stream.aiter_lines()
                assert (await anext(lines)).startswith("retry: ")
                process.send_signal(signal.SIGTERM)
                assert (await listening.closed())[0] == 1012
                rest = [line async for line in lines]
        stopped = await asyncio.to_thread(process.wait, 10)

    assert [each["type"] for each in parsed("\n".join(rest))] == ["ready"]
    assert stopped in (0, -signal.SIGTERM)


async def test_where_the_database_can_notify_nobody_changes_are_looked_for(settings: Settings, scene: Scene):
    port = free_port()
    pooled = settings.database_url.get_secret_value() + "?pgbouncer=true"
    with api(settings, port, database_url=pooled, event_poll_seconds="0.2", event_heartbeat_seconds="300"):
        async with following(f"http://127.0.0.1:{port}", scene.viewer) as listening:
            item = await make_item(scene.owner, scene.vault)
            await listening.told_of(item.id)
            async with httpx.AsyncClient() as client:
                shown = (await client.get(f"http://127.0.0.1:{port}/metrics")).text

    assert value(shown, "lifevault_event_listening") == 0
    assert value(shown, 'lifevault_event_streams{transport="websocket"}') == 1


@pytest.fixture
async def many(own_database: Runtime) -> tuple[TestUser, set[str]]:
    """The owner of a vault with many records, and their ids; what they set off is nobody else's work."""
    owner = await make_user()
    vault = await make_vault(owner)
    first = await make_item(owner, vault)
    columns = "vault_id, type, body, revision, written_by, fields_digest"
    async with session_scope() as session:
        names = await session.scalars(
            text(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'vault_items'::regclass AND attnum > 0 "
                "AND NOT attisdropped AND attgenerated = '' AND attname <> 'id'"
            )
        )
        columns = ", ".join(names)
        copies = f"INSERT INTO vault_items (id, {columns}) SELECT gen_random_uuid(), {columns} FROM vault_items, "
        copies += "generate_series(2, :most) WHERE id = :id"
        await session.execute(text(copies), {"id": first.id, "most": BURST})
        ids = await session.scalars(text("SELECT id FROM vault_items WHERE vault_id = :id"), {"id": vault.id})
        return owner, {str(each) for each in ids}


async def change_all(owner: TestUser) -> None:
    """Change all of them in one transaction."""
    async with session_scope() as session:
        mine = "vault_id IN (SELECT vault_id FROM vault_members WHERE user_id = :user)"
        await session.execute(text(f"UPDATE vault_items SET revision = revision + 1 WHERE {mine}"), {"user": owner.id})


async def test_a_slow_reader_gets_all_of_a_burst(many: tuple[TestUser, set[str]], own_database: Runtime):
    owner, ids = many
    async with served(application(own_database.settings)) as url, following(url, owner) as listening:
        await change_all(owner)
        while not ids <= {change["subject_id"] for change in listening.changes}:
            await asyncio.sleep(0.05)
            await listening.next()
        most = max(len(message.get("changes", [])) for message in listening.messages)

    revisions = {c["subject_id"]: c["revision"] for c in listening.changes if c["kind"] == "item"}
    assert revisions.keys() == ids
    assert set(revisions.values()) == {2}
    assert most <= 200


async def test_who_takes_nothing_is_dropped_and_goes_on_without_a_gap(
    many: tuple[TestUser, set[str]], own_database: Runtime
):
    owner, ids = many
    with changed_settings(event_send_seconds=0.5):
        async with served(application(own_database.settings)) as url:
            async with stuck(url, owner) as listening:
                cursor = listening.cursor
                for _ in range(ROUNDS):
                    await change_all(owner)
                    await asyncio.sleep(0.1)
                    metrics = httpx.AsyncClient(base_url=url)
                    async with metrics:
                        shown = (await metrics.get("/metrics")).text
                    if value(shown, 'lifevault_event_stream_ends_total{reason="too-slow",transport="websocket"}'):
                        break
                else:
                    pytest.fail("it was not dropped")
                assert value(shown, 'lifevault_event_streams{transport="websocket"}') == 0
            async with following(url, owner, since=cursor) as again:
                await again.until(lambda: ids <= {change["subject_id"] for change in again.changes})


@asynccontextmanager
async def stuck(url: str, person: TestUser) -> AsyncIterator[Following]:
    """Somebody who reads one message and then nothing more, through as narrow a way as there is."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.connect(("127.0.0.1", httpx.URL(url).port))
    plain.setblocking(False)
    options = {"additional_headers": auth(person), "compression": None, "max_queue": 1, "ping_interval": None}
    target = url.replace("http", "ws", 1) + EVENTS
    async with connect(target, sock=plain, close_timeout=0.1, proxy=None, **options) as connection:
        listening = Following(connection)
        await listening.next()
        yield listening
        connection.transport.abort()
