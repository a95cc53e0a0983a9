"""Events through WebSockets of a live server: who is told what, and why it ends."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.auth import sessions
from app.auth.parts import access_tokens
from app.core.config import Settings
from app.core.tasks import TASKS, task
from app.db.runtime import Runtime, current
from app.db.session import Actor, session_scope
from app.jobs.service import create_job
from tests.agents.core.people import START
from tests.conftest import application, drain_jobs
from tests.events.conftest import EVENTS, following
from tests.factories import auth, make_item, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.serving import served
from tests.vault.conftest import Scene, scene

pytestmark = pytest.mark.slow

__all__ = ["scene"]
SECRET = "kestrelmarble"


async def test_a_change_is_told_at_once_by_its_ids_and_nothing_that_was_written(url: str, scene: Scene):
    async with following(url, scene.viewer) as listening:
        item = await make_item(scene.owner, scene.vault, title=SECRET, notes=SECRET)
        told = await listening.told_of(item.id)

    assert listening.messages[0]["type"] == "ready"
    assert {**told, "at": None} == {
        "kind": "item",
        "change": "created",
        "vault_id": str(scene.vault.id),
        "subject_id": str(item.id),
        "revision": 1,
        "percent": None,
        "at": None,
    }
    assert SECRET not in json.dumps(listening.messages)
    assert set(listening.messages[-1]) == {"type", "cursor", "changes"}


async def test_who_goes_on_from_a_cursor_gets_what_they_missed(url: str, scene: Scene):
    async with following(url, scene.viewer) as before:
        await make_item(scene.owner, scene.vault)
        await before.until(lambda: before.changes)
    missed = [await make_item(scene.owner, scene.vault) for _ in range(3)]

    async with following(url, scene.viewer, since=before.cursor) as after:
        for item in missed:
            await after.told_of(item.id)

    assert after.messages[0] == {"type": "ready", "cursor": before.cursor}


async def test_the_feed_and_the_socket_follow_each_other_without_a_gap(
    client: httpx.AsyncClient, url: str, scene: Scene
):
    until = (await client.get("/v1/vault/changes", headers=auth(scene.viewer))).json()["until"]
    item = await make_item(scene.owner, scene.vault)

    async with following(url, scene.viewer, since=until) as listening:
        await listening.told_of(item.id)
        other = await make_item(scene.owner, scene.vault)
        await listening.told_of(other.id)
        cursor = listening.cursor
    answer = (await client.get("/v1/vault/changes", params={"since": cursor}, headers=auth(scene.viewer))).json()

    assert not answer["reset"]


async def test_a_removed_member_is_told_so_and_hears_nothing_more(client: httpx.AsyncClient, url: str, scene: Scene):
    async with following(url, scene.editor) as listening, following(url, scene.viewer) as other:
        path = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.editor.id}"
        assert (await client.delete(path, headers=auth(scene.admin))).status_code == 204
        await listening.until(lambda: ("access", "removed") in listening.named())
        item = await make_item(scene.owner, scene.vault)
        await other.told_of(item.id)
        mine = await make_item(scene.editor, await make_vault(scene.editor))
        await listening.told_of(mine.id)

    assert str(item.id) not in {change["subject_id"] for change in listening.changes}


async def test_who_comes_into_a_vault_hears_of_it_from_then_on(url: str, scene: Scene):
    async with following(url, scene.stranger) as listening:
        await make_member(scene.vault, role="viewer", user=scene.stranger)
        await listening.until(lambda: ("access", "granted") in listening.named())
        item = await make_item(scene.owner, scene.vault)
        await listening.told_of(item.id)


async def test_some_vaults_alone_are_told_of_if_asked(url: str, scene: Scene):
    other = await make_vault(scene.owner)
    async with following(url, scene.owner, vault_ids=str(scene.vault.id)) as listening:
        left_out = await make_item(scene.owner, other)
        item = await make_item(scene.owner, scene.vault)
        await listening.told_of(item.id)

    assert str(left_out.id) not in {change["subject_id"] for change in listening.changes}


@pytest.fixture
async def own_job() -> AsyncIterator[None]:
    """A kind of job that does nothing."""

    @task("tests.own")
    async def _work(_run: object) -> None:
        return

    yield
    del TASKS["tests.own"]


async def test_reminders_jobs_and_notifications_are_told_of(
    client: httpx.AsyncClient, url: str, settings: Settings, own_job: None, scene: Scene
):
    headers = auth(scene.owner)
    async with following(url, scene.owner) as listening, following(url, scene.viewer) as other:
        body = {"title": SECRET, "due_on": "2031-05-31", "vault_id": str(scene.vault.id)}
        shared = (await client.post("/v1/reminders", json=body, headers=headers)).json()
        own = (await client.post("/v1/reminders", json={**body, "vault_id": None}, headers=headers)).json()
        assert (await listening.told_of(shared["id"]))["vault_id"] == str(scene.vault.id)
        assert (await listening.told_of(own["id"]))["vault_id"] is None
        await client.delete(f"/v1/reminders/{own['id']}", headers=headers)
        await listening.until(lambda: ("reminder", "purged") in listening.named())
        async with session_scope(Actor.user(scene.owner.id)) as session:
            job_id = await create_job(session, "tests.own", user_id=scene.owner.id)
        await drain_jobs(settings)
        done = str(job_id), "succeeded"
        await listening.until(lambda: done in {(each["subject_id"], each["change"]) for each in listening.changes})
        await other.told_of(shared["id"])

    [percent] = {each["percent"] for each in listening.changes if (each["subject_id"], each["change"]) == done}
    assert percent == 100
    assert {str(own["id"]), str(job_id)}.isdisjoint({change["subject_id"] for change in other.changes})
    assert SECRET not in json.dumps(listening.messages + other.messages)


async def test_runs_of_agents_are_told_of_to_whom_may_run_them(client: httpx.AsyncClient, url: str, scene: Scene):
    key = {"name": "Watcher", "scopes": ["vault:read"]}
    narrow = (await client.post("/v1/auth/api-keys", json=key, headers=auth(scene.owner))).json()["key"]
    async with following(url, scene.owner) as listening, following(url, token=narrow) as other:
        body = {"message": SECRET, "background": True}
        run = (await client.post(START, json=body, headers=auth(scene.owner))).json()
        assert (await listening.told_of(run["id"]))["change"] == "queued"
        item = await make_item(scene.owner, scene.vault)
        await other.told_of(item.id)

    assert run["id"] not in {change["subject_id"] for change in other.changes}


@pytest.mark.parametrize("how", ["sign-out", "session ended", "key revoked", "all ended"])
async def test_who_is_signed_out_is_closed_at_once(client: httpx.AsyncClient, url: str, scene: Scene, how: str):
    person, headers = scene.viewer, auth(scene.viewer)
    token = person.access_token
    if how == "key revoked":
        key = {"name": "Watcher", "scopes": ["vault:read"]}
        made = (await client.post("/v1/auth/api-keys", json=key, headers=headers)).json()
        token = made["key"]
    async with following(url, person, token=token) as listening:
        match how:
            case "sign-out":
                done = await client.post("/v1/auth/logout", headers=headers)
            case "session ended":
                done = await client.delete(f"/v1/auth/sessions/{person.session_id}", headers=headers)
            case "key revoked":
                done = await client.delete(f"/v1/auth/api-keys/{made['id']}", headers=headers)
            case _:
                async with session_scope() as session:
                    await sessions.end(session, person.id)
                done = httpx.Response(204)
        assert done.is_success, done.text
        code, _ = await listening.closed()

    assert code == 4401


async def test_it_ends_with_the_token(url: str, runtime: Runtime, scene: Scene, monkeypatch: pytest.MonkeyPatch):
    short = access_tokens()
    monkeypatch.setattr(short, "seconds", 2)
    token = short.sign(scene.viewer.id, scene.viewer.session_id, "vault:read")

    async with following(url, token=token) as listening:
        assert listening.messages[0]["type"] == "ready"
        assert (await listening.closed())[0] == 4401


async def test_who_has_no_right_is_told_by_the_code(client: httpx.AsyncClient, url: str, scene: Scene):
    narrow = await make_user(scope="profile")
    codes = {}
    async with following(url, token="lv_wrong") as listening:
        codes["nobody"] = listening.socket.close_code
    async with following(url, narrow) as listening:
        codes["no scope"] = listening.socket.close_code
    async with following(url, scene.stranger, vault_ids=str(scene.vault.id)) as listening:
        codes["stranger"] = listening.socket.close_code
    async with following(url, scene.viewer, vault_ids=str(uuid4())) as listening:
        codes["nothing"] = listening.socket.close_code
    async with following(url, scene.viewer, since="yesterday") as listening:
        codes["bad cursor"] = listening.socket.close_code

    assert codes == {"nobody": 4401, "no scope": 4403, "stranger": 4404, "nothing": 4404, "bad cursor": 4400}


async def test_a_page_of_another_origin_is_refused_and_a_known_one_is_not(runtime: Runtime, scene: Scene):
    with changed_settings(cors_origins=("https://app.example",)):
        async with served(application(current().settings)) as url:
            target = url.replace("http", "ws", 1) + EVENTS
            with pytest.raises(InvalidStatus) as refused:
                async with connect(target, additional_headers=auth(scene.viewer), origin="https://evil.example"):
                    pass
            for origin in ("https://app.example", url):
                async with following(url, scene.viewer, headers={"Origin": origin}) as listening:
                    assert listening.messages[0]["type"] == "ready"

    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["code"] == "origin-refused"


async def test_a_person_has_so_many_connections_at_most(runtime: Runtime, scene: Scene, url: str):
    most = current().settings.event_streams_per_user
    async with AsyncExitStack() as stack:
        for _ in range(most):
            await stack.enter_async_context(following(url, scene.member))
        async with following(url, scene.member) as one_more:
            assert one_more.socket.close_code == 4429
        async with following(url, scene.viewer) as other:
            assert other.messages[0]["type"] == "ready"
    async with following(url, scene.member) as again:
        assert again.messages[0]["type"] == "ready"


async def test_a_cursor_that_is_too_old_begins_anew(client: httpx.AsyncClient, url: str, scene: Scene):
    async with following(url, scene.viewer, since="AAAAAAAAAAAAAAAAAAAAAA") as listening:
        assert (await listening.next())["type"] == "reset"
        item = await make_item(scene.owner, scene.vault)
        await listening.told_of(item.id)


async def test_an_open_connection_is_no_sign_of_life(url: str, scene: Scene):
    async with session_scope() as session:
        old = "UPDATE auth_sessions SET last_seen_at = now() - interval '40 days' WHERE id = :id"
        await session.execute(text(old), {"id": scene.viewer.session_id})
    async with following(url, scene.viewer) as listening:
        async with session_scope() as session:
            await session.execute(text(old), {"id": scene.viewer.session_id})
        sessions._seen()._at.clear()
        for _ in range(3):
            item = await make_item(scene.owner, scene.vault)
            await listening.told_of(item.id)
    async with session_scope() as session:
        seen = "SELECT now() - last_seen_at > interval '39 days' FROM auth_sessions WHERE id = :id"
        assert await session.scalar(text(seen), {"id": scene.viewer.session_id})
