"""Versions of documents: added, read, restored, deleted; what is searched follows the current one."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.clock import utc_now
from app.core.config import Settings
from app.db.runtime import current
from app.vault import service, tasks
from tests.conftest import drain_jobs
from tests.factories import auth, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.rag.asking import upload
from tests.vault.conftest import Scene, rows_of, run_jobs
from tests.vault.test_uploads import blob_folder, files_in

DOCUMENTS = "/v1/vault/documents"


async def add(client: httpx.AsyncClient, scene: Scene, content: bytes, **headers: str) -> httpx.Response:
    url = f"{DOCUMENTS}/{scene.document.id}/versions"
    return await client.post(url, files={"file": ("v.txt", content)}, headers=auth(scene.editor) | headers)


async def numbers(client: httpx.AsyncClient, scene: Scene) -> list[int]:
    url = f"{DOCUMENTS}/{scene.document.id}/versions"
    return [each["number"] for each in (await client.get(url, headers=auth(scene.viewer))).json()["items"]]


async def content_of(client: httpx.AsyncClient, scene: Scene, version: int | None = None) -> bytes:
    query = {"version": version} if version else {}
    url = f"{DOCUMENTS}/{scene.document.id}/content"
    response = await client.get(url, params=query, headers=auth(scene.viewer))
    assert response.status_code == 200
    return response.content


@pytest.fixture
async def three(client: httpx.AsyncClient, scene: Scene) -> Scene:
    """The document has three versions."""
    for content in (b"second", b"third"):
        assert (await add(client, scene, content)).status_code == 202
    return scene


async def test_a_form_adds_a_version_and_each_stays_readable(client: httpx.AsyncClient, three: Scene):
    first = b"The excess is 250 euros.\n"
    assert await numbers(client, three) == [3, 2, 1]
    assert [await content_of(client, three, version) for version in (None, 1, 2, 3)] == [
        b"third",
        first,
        b"second",
        b"third",
    ]


async def test_a_version_of_another_revision_than_the_present_one_is_refused(client: httpx.AsyncClient, scene: Scene):
    assert (await add(client, scene, b"second", **{"If-Match": '"1"'})).status_code == 202
    assert (await add(client, scene, b"third", **{"If-Match": '"1"'})).status_code == 412
    assert await numbers(client, scene) == [2, 1]


async def test_an_earlier_version_is_restored_as_the_newest(client: httpx.AsyncClient, three: Scene):
    url = f"{DOCUMENTS}/{three.document.id}/versions/1/restore"

    stale = await client.post(url, headers=auth(three.editor) | {"If-Match": '"1"'})
    restored = await client.post(url, headers=auth(three.editor) | {"If-Match": '"3"'})

    assert stale.status_code == 412
    assert (restored.status_code, restored.json()["number"]) == (202, 4)
    assert restored.json()["sha256"] == three.document.sha256
    assert await content_of(client, three) == await content_of(client, three, 1)
    job = (await client.get(f"/v1/jobs/{restored.json()['job_id']}", headers=auth(three.editor))).json()
    assert (job["kind"], job["subject_id"]) == ("rag.ingest", restored.json()["version_id"])


async def test_what_is_searched_follows_the_current_version(client: httpx.AsyncClient, settings: Settings):
    owner = await make_user()
    vault = await make_vault(owner)
    old, new = f"kestrel{uuid4().hex[:6]}", f"osprey{uuid4().hex[:6]}"
    document = await upload(client, owner, vault.id, text=f"The {old} expires on 4 May 2027.", name="a.txt")
    url = f"{DOCUMENTS}/{document['id']}/versions"

    async def found(word: str) -> int:
        await drain_jobs(settings)
        hits = await client.post("/v1/rag/search", json={"query": word}, headers=auth(owner))
        return sum(word in hit["text"] for hit in hits.json()["hits"])

    assert await found(old) == 1
    files = {"file": ("b.txt", f"The {new} expires on 4 May 2028.".encode())}
    assert (await client.post(url, files=files, headers=auth(owner))).status_code == 202
    assert (await found(new), await found(old)) == (1, 0)
    assert (await client.post(f"{url}/1/restore", headers=auth(owner))).status_code == 202
    assert (await found(old), await found(new)) == (1, 0)


async def test_an_old_version_is_deleted_with_its_file_and_the_current_one_is_not(
    client: httpx.AsyncClient, settings: Settings, three: Scene
):
    blobs = files_in(blob_folder(settings))
    url = f"{DOCUMENTS}/{three.document.id}/versions"

    assert (await client.delete(f"{url}/2", headers=auth(three.editor))).status_code == 204
    current_one = await client.delete(f"{url}/3", headers=auth(three.editor))
    missing = await client.delete(f"{url}/2", headers=auth(three.editor))
    await run_jobs(settings, service.DELETE_BLOBS)

    assert (current_one.status_code, current_one.json()["code"]) == (409, "current-version-stays")
    assert (missing.status_code, missing.json()["code"]) == (404, "version-not-found")
    assert await numbers(client, three) == [3, 1]
    assert len(blobs - files_in(blob_folder(settings))) >= 1
    entries = "SELECT count(*) AS held FROM vault_document_versions WHERE document_id = :document"
    assert (await rows_of(entries, document=three.document.id))[0].held == 2
    assert (await add(client, three, b"fourth")).json()["number"] == 4


async def test_deleted_bytes_no_longer_count_for_the_plan(client: httpx.AsyncClient, three: Scene):
    used = """SELECT coalesce(sum(amount), 0) AS bytes FROM payments_usage_entries
        WHERE user_id = :owner AND meter = 'storage_bytes' AND returned_at IS NULL"""
    before = (await rows_of(used, owner=three.owner.id))[0].bytes

    await client.delete(f"{DOCUMENTS}/{three.document.id}/versions/2", headers=auth(three.editor))

    assert before - (await rows_of(used, owner=three.owner.id))[0].bytes == len(b"second")


@pytest.mark.parametrize(
    ("rule", "deleted"),
    [({}, [1, 2]), ({"keep": 2}, [1]), ({"keep": 3}, []), ({"keep": 1, "older_than_days": 1}, [])],
)
async def test_a_rule_says_which_old_versions_go(client: httpx.AsyncClient, three: Scene, rule, deleted):
    url = f"{DOCUMENTS}/{three.document.id}/versions/prune"

    pruned = await client.post(url, json=rule, headers=auth(three.editor))

    assert (pruned.status_code, pruned.json()) == (200, {"deleted": deleted})
    assert await numbers(client, three) == [number for number in (3, 2, 1) if number not in deleted]
    assert await content_of(client, three) == b"third"


async def test_the_sweep_keeps_as_many_as_the_setting_says(client: httpx.AsyncClient, three: Scene):
    later = utc_now() + timedelta(days=2)

    assert current().settings.keep_versions == 0
    assert await tasks.prune_versions(later) == 0
    with changed_settings(keep_versions=2):
        assert await tasks.prune_versions(utc_now()) == 0
        assert await tasks.prune_versions(later) >= 1

    assert await numbers(client, three) == [3, 2]


async def test_a_document_has_no_more_versions_than_allowed(client: httpx.AsyncClient, three: Scene):
    with changed_settings(versions_per_document=3):
        refused = await add(client, three, b"fourth")

    assert (refused.status_code, refused.json()["code"]) == (409, "limit-reached")


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("stranger", 404)])
async def test_who_may_not_write_changes_no_version(client: httpx.AsyncClient, three: Scene, role: str, status: int):
    url, headers = f"{DOCUMENTS}/{three.document.id}/versions", auth(three.person(role))
    requests: list[dict[str, Any]] = [
        {"method": "POST", "url": url, "files": {"file": ("v.txt", b"fourth")}},
        {"method": "POST", "url": f"{url}/1/restore"},
        {"method": "POST", "url": f"{url}/prune", "json": {}},
        {"method": "DELETE", "url": f"{url}/1"},
    ]

    for request in requests:
        assert (await client.request(**request, headers=headers)).status_code == status
    assert await numbers(client, three) == [3, 2, 1]


async def test_a_request_that_is_not_right_is_refused(client: httpx.AsyncClient, three: Scene):
    url, headers = f"{DOCUMENTS}/{three.document.id}/versions", auth(three.editor)
    form = {"files": {"file": ("v.txt", b"fourth")}, "headers": headers}

    answers = [
        await client.post(url, data={"title": "no"}, **form),
        await client.post(url, content=b"x", headers=headers),
        await client.post(f"{url}/9/restore", headers=headers),
        await client.post(f"{url}/0/restore", headers=headers),
        await client.post(f"{url}/prune", json={"keep": 0}, headers=headers),
        await client.post(f"{url}/prune", json={"kept": 1}, headers=headers),
    ]

    assert [each.status_code for each in answers] == [422, 415, 404, 422, 422, 422]
    assert await numbers(client, three) == [3, 2, 1]
