"""Reads from a real streaming replica: whoever reads there misses nothing that they would have seen on the primary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from app.api.pages import cursor_of
from app.cli.checking.database import check_replicas
from app.cli.embedded.postgres import PostgresUrls
from app.core.config import SettingsError, load_settings
from app.db import runtime as runtimes
from app.db.runtime import Runtime, close_runtime, open_runtime
from app.db.session import act_for, new_session
from app.main import create_app
from app.vault import service as vaults
from tests.conftest import drain_jobs
from tests.db.replica import ReplicaServer, make_replica
from tests.factories import TestUser, auth, make_document, make_item, make_member, make_user, make_vault, principal_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
ITEMS = "/v1/vault/items"


@pytest.fixture(scope="module")
async def server(
    anyio_backend: str, postgres: PostgresUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ReplicaServer]:
    replica = await make_replica(postgres, tmp_path_factory.mktemp("replica"))
    with replica.running():
        yield replica


@dataclass
class Place:
    """An application with a replica, and the database that both are about."""

    runtime: Runtime
    client: httpx.AsyncClient
    server: ReplicaServer
    postgres: PostgresUrls

    async def settled(self) -> None:
        """Let the replica show all that there is."""
        connection = await asyncpg.connect(self.postgres.superuser)
        position = await connection.fetchval("SELECT pg_current_wal_insert_lsn()::text")
        await connection.execute("SELECT pg_switch_wal()")  # what is not flushed yet is sent, too
        await connection.close()
        await self.server.catch_up(position)

    async def get(self, path: str, person: TestUser, **query: Any) -> tuple[httpx.Response, str]:
        """An answer, and which outcome was counted for it."""
        before = outcomes()
        answer = await self.client.get(path, params=query, headers=auth(person))
        after = outcomes()
        return answer, " ".join(name for name in sorted(after) if after[name] > before.get(name, 0))


def outcomes() -> dict[str, float]:
    found = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "lifevault_replica_reads_total":
                found[sample.labels["outcome"]] = sample.value
    return found


@asynccontextmanager
async def placed(
    runtime: Runtime, postgres: PostgresUrls, server: ReplicaServer, **changes: Any
) -> AsyncIterator[Place]:
    name = runtime.settings.database_url.get_secret_value().rpartition("/")[2]
    patience = {"replica_lag_seconds": 600.0, "replica_wait_seconds": 20.0, "database_connect_timeout_seconds": 20.0}
    changes = {"database_replica_urls": SecretStr(server.url(name)), **patience, **changes}
    settings = runtime.settings.model_copy(update=changes)
    settings.__dict__.pop("replica_urls", None)
    opened = open_runtime(settings)
    transport = httpx.ASGITransport(create_app(settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        yield Place(opened, client, server, postgres)
    await close_runtime()
    runtimes._current[:] = [runtime]
    new_session.configure(bind=runtime.engine, info={"role": new_session.kw["info"]["role"], "gate": runtime.gate})


@pytest.fixture
async def place(runtime: Runtime, postgres: PostgresUrls, server: ReplicaServer) -> AsyncIterator[Place]:
    async with placed(runtime, postgres, server) as place:
        yield place
        await server.resume()


async def test_reads_go_to_the_replica_and_show_the_same(place: Place):
    owner = await make_user()
    vault = await make_vault(owner)
    item = await make_item(owner, vault, title="Kept by both")
    await place.settled()

    for path in (
        *("/v1/vault/vaults", ITEMS, "/v1/vault/documents", "/v1/vault/types", "/v1/vault/changes", "/v1/reminders"),
        *(f"{ITEMS}/{item.id}", f"/v1/vault/vaults/{vault.id}", f"/v1/vault/vaults/{vault.id}/members"),
        *(f"/v1/vault/vaults/{vault.id}/activity", f"{ITEMS}/{item.id}/versions", "/v1/notifications"),
        *("/v1/vault/transfers", f"{ITEMS}/{item.id}/links", f"/v1/vault/vaults/{vault.id}/invitations"),
    ):
        answer, outcome = await place.get(path, owner)
        assert (answer.status_code, outcome) == (200, "replica"), (path, answer.text)
    document = await make_document(owner, vault)
    await drain_jobs(place.runtime.settings)
    await place.settled()
    for path in (f"/v1/vault/documents/{document.id}", f"/v1/rag/documents/{document.id}/fields"):
        answer, outcome = await place.get(path, owner)
        assert outcome == "replica", (path, answer.text)
    found = await place.client.post("/v1/vault/search", json={"query": "Kept by both"}, headers=auth(owner))
    assert str(item.id) in found.text


async def test_who_changed_something_reads_it_while_the_replica_shows_it_not(place: Place):
    owner = await make_user()
    vault = await make_vault(owner)
    await place.settled()
    assert (await place.get(ITEMS, owner))[1] == "replica"
    await place.server.pause()

    body = {"vault_id": str(vault.id), "type": "secure_note", "title": "Fresh", "fields": {}}
    made = (await place.client.post(ITEMS, json=body, headers=auth(owner))).json()
    answer, outcome = await place.get(f"{ITEMS}/{made['id']}", owner)
    listed, listed_from = await place.get(ITEMS, owner)

    assert (answer.status_code, outcome) == (200, "behind")
    assert (made["id"] in listed.text, listed_from) == (True, "behind")
    await place.server.resume()
    await place.settled()
    assert (await place.get(ITEMS, owner))[1] == "replica"


async def test_what_the_feed_does_not_note_is_pinned_for_who_changed_it_in_whatever_process(place: Place):
    owner = await make_user()
    await place.settled()
    await place.server.pause()
    changed = await place.client.patch("/v1/auth/me", json={"name": "Countess"}, headers=auth(owner))
    assert changed.status_code == 200, changed.text

    _, outcome = await place.get(ITEMS, owner)
    redis = place.runtime.redis
    keys = [key async for key in redis.scan_iter("lifevault:pin:*")]
    await redis.delete(*keys)
    _, unpinned = await place.get(ITEMS, owner)

    assert (outcome, unpinned) == ("behind", "replica")
    assert keys
    assert str(owner.id) not in str(keys)


async def test_a_removed_member_gets_nothing_from_that_moment_on(place: Place):
    owner = await make_user()
    vault = await make_vault(owner)
    item = await make_item(owner, vault)
    member, other = await make_member(vault), await make_member(vault)
    await place.settled()
    assert (await place.get(f"{ITEMS}/{item.id}", member))[1] == "replica"
    await place.server.pause()

    path = f"/v1/vault/vaults/{vault.id}/members/{member.id}"
    assert (await place.client.delete(path, headers=auth(owner))).status_code == 204

    answer, outcome = await place.get(f"{ITEMS}/{item.id}", member)
    assert (answer.status_code, outcome) == (404, "behind")
    assert (await place.get(ITEMS, member))[0].json()["items"] == []
    answer, outcome = await place.get(f"{ITEMS}/{item.id}", other)
    assert (answer.status_code, outcome) == (200, "behind")


async def test_who_was_signed_out_gets_nothing_from_that_moment_on(place: Place):
    person = await make_user()
    await place.settled()
    await place.server.pause()
    assert (await place.client.post("/v1/auth/logout", headers=auth(person))).status_code == 204

    assert (await place.get(ITEMS, person))[0].status_code == 401


async def test_what_the_worker_did_is_seen(place: Place):
    owner = await make_user()
    vault = await make_vault(owner)
    await place.settled()
    await place.server.pause()
    files = {"file": ("note.txt", b"The policy ends on 4 May 2031.")}
    headers = auth(owner)
    sent = await place.client.post(
        "/v1/vault/documents", data={"vault_id": str(vault.id)}, files=files, headers=headers
    )
    await drain_jobs(place.runtime.settings)

    job, outcome = await place.get(f"/v1/jobs/{sent.json()['job_id']}", owner)
    assert (job.json()["state"], outcome) == ("succeeded", "behind")


async def test_a_cursor_from_the_primary_goes_on_on_a_replica_that_is_behind(place: Place):
    owner, other = await make_user(), await make_user()
    vault = await make_vault(owner)
    theirs = await make_vault(other)
    await place.settled()
    await place.server.pause()
    await make_item(other, theirs)  # so that the primary comes further
    async with new_session() as session:
        act_for(session, principal_of(owner).actor)
        ahead = await vaults.present_cursor(session)
    answer, outcome = await place.get("/v1/vault/changes", owner, since=cursor_of(ahead))
    asked = {"since": cursor_of(ahead), "vault_id": str(vault.id), "content": True}
    of_vault, outcome_of_vault = await place.get("/v1/vault/changes", owner, **asked)

    assert (outcome, answer.json()["reset"], answer.json()["items"]) == ("replica", False, [])
    assert (outcome_of_vault, of_vault.json()["reset"], of_vault.json()["items"]) == ("replica", False, [])
    assert place.runtime.replicas.all[0].engine.sync_engine.pool.checkedout() == 0


async def test_without_redis_everything_is_read_from_the_primary(place: Place):
    owner = await make_user()
    await place.settled()
    place.runtime.redis_breaker.failed()
    try:
        answer, outcome = await place.get(ITEMS, owner)
    finally:
        place.runtime.redis_breaker.succeeded()

    assert (answer.status_code, outcome) == (200, "unsure")


async def test_a_replica_that_is_too_far_behind_is_left_out_and_said_to_be(
    runtime: Runtime, postgres: PostgresUrls, server: ReplicaServer
):
    async with placed(runtime, postgres, server, replica_lag_seconds=0.2) as place:
        owner, stranger = await make_user(), await make_user()
        await place.settled()
        first = ""
        while first != "replica":
            _, first = await place.get(ITEMS, owner)
        await server.pause()
        try:
            await make_vault(stranger)
            late = ""
            while late != "away":
                answer, late = await place.get(ITEMS, owner)
                assert answer.status_code == 200
            ready = (await place.client.get("/health/ready")).json()
            metrics = (await place.client.get("/metrics")).text
            [finding] = await check_replicas(place.runtime.settings)
        finally:
            await server.resume()
        await place.settled()
        well = (await place.client.get("/health/ready")).json()

    name = place.runtime.replicas.all[0].name
    assert (ready["status"], ready["parts"][name], well["parts"][name]) == ("degraded", "down", "ok")
    assert f'lifevault_replica_lag_seconds{{replica="{name}"}}' in metrics
    assert (finding.name, finding.state) == (name, "warning")
    assert "bytes behind" in finding.detail


async def test_a_replica_that_is_killed_costs_nobody_an_answer(
    runtime: Runtime, postgres: PostgresUrls, tmp_path: Path
):
    own = await make_replica(postgres, tmp_path)
    with own.running():
        async with placed(runtime, postgres, own) as place:
            owner = await make_user()
            await place.settled()
            assert (await place.get(ITEMS, owner))[1] == "replica"
            own.kill()
            for _ in range(6):
                answer, outcome = await place.get(ITEMS, owner)
                assert (answer.status_code, outcome) == (200, "away")
            ready = await place.client.get("/health/ready")
            [finding] = await check_replicas(place.runtime.settings)
            with own.running():
                outcome = ""
                while outcome != "replica":
                    answer, outcome = await place.get(ITEMS, owner)
                    assert answer.status_code == 200

    name = place.runtime.replicas.all[0].name
    assert (ready.status_code, ready.json()["parts"][name]) == (200, "down")
    assert finding.state == "failed"


async def test_a_replica_that_is_silent_is_soon_left_alone(
    runtime: Runtime, postgres: PostgresUrls, server: ReplicaServer
):
    async with placed(runtime, postgres, server, replica_wait_seconds=0.5) as place:
        owner = await make_user()
        await place.settled()
        server.freeze()
        try:
            answers = [await place.get(ITEMS, owner) for _ in range(6)]
            ready = await place.client.get("/health/ready")
        finally:
            server.freeze(frozen=False)
        outcome = ""
        while outcome != "replica":
            _, outcome = await place.get(ITEMS, owner)

    assert {(answer.status_code, outcome) for answer, outcome in answers} == {(200, "away")}
    assert (ready.status_code, ready.json()["parts"][place.runtime.replicas.all[0].name]) == (200, "down")


async def test_one_that_fails_in_the_middle_of_a_read_is_replaced_by_the_primary(
    runtime: Runtime, postgres: PostgresUrls, server: ReplicaServer
):
    """It keeps a lock that the primary has released already, so that its statement takes too long."""
    async with placed(runtime, postgres, server, database_timeout_seconds=1.0) as place:
        owner = await make_user()
        item = await make_item(owner, await make_vault(owner))
        locking = await asyncpg.connect(postgres.superuser)
        async with locking.transaction():
            await locking.execute("LOCK TABLE vault_items IN ACCESS EXCLUSIVE MODE")
            await place.settled()
            await server.pause()
        await locking.close()
        try:
            answer, outcome = await place.get(f"{ITEMS}/{item.id}", owner)
        finally:
            await server.resume()

    assert (answer.status_code, answer.json()["title"]) == (200, item.title)
    assert outcome == "failed replica"


async def test_one_that_was_promoted_is_no_replica(runtime: Runtime, postgres: PostgresUrls, tmp_path: Path):
    own = await make_replica(postgres, tmp_path)
    with own.running():
        async with placed(runtime, postgres, own) as place:
            owner = await make_user()
            await place.settled()
            assert (await place.get(ITEMS, owner))[1] == "replica"
            await own.promote()
            answer, outcome = await place.get(ITEMS, owner)
            [finding] = await check_replicas(place.runtime.settings)

    assert (answer.status_code, outcome) == (200, "away")
    assert (finding.state, "database" in finding.detail or "follows" in finding.detail) == ("failed", True)


def test_settings_that_can_not_work_are_refused():
    url = "postgresql://lifevault_app:x@127.0.0.1:1/lifevault"
    with pytest.raises(SettingsError, match="LIFEVAULT_REPLICA_PIN_SECONDS"):
        load_settings(database_replica_urls=url, replica_pin_seconds=3, replica_lag_seconds=5)
    assert load_settings(database_replica_urls=f"{url}, {url}").replica_urls == [url, url]
