"""Imports from the upload to the report: everything once, whatever happens, and the file destroyed in the end."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.core.config import Settings
from app.db.session import session_scope
from app.jobs import service as jobs
from app.jobs.errors import LeaseLost
from app.vault import service
from app.vault.service.import_pass import Importing
from app.vault.service.importing import run_import
from tests.factories import auth, make_item, make_user
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of, run_jobs
from tests.vault.import_files import archive, onepassword, sample, table, with_argon2
from tests.vault.test_uploads import blob_folder, files_in

IMPORTS = "/v1/vault/imports"


async def send(client: httpx.AsyncClient, scene: Scene, content: bytes, *, who: str = "editor", **data: Any):
    form = {"vault_id": str(scene.vault.id)} | data
    files = {"file": ("export.bin", content)}
    return await client.post(IMPORTS, data=form, files=files, headers=auth(scene.person(who)))


async def report(client: httpx.AsyncClient, scene: Scene, url: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    headers, entries, cursor = auth(scene.editor), [], ""
    while cursor is not None:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"{url}/entries", params=query, headers=headers)).json()
        entries += page["items"]
        cursor = page["next_cursor"]
    return (await client.get(url, headers=headers)).json(), entries


async def bring(client: httpx.AsyncClient, settings: Settings, scene: Scene, content: bytes, **data: Any):
    """The report of an import, and its entries."""
    accepted = await send(client, scene, content, **data)
    assert accepted.status_code == 202, accepted.text
    await run_jobs(settings, service.IMPORT_JOB)
    return await report(client, scene, accepted.headers["Location"])


async def failure(client: httpx.AsyncClient, settings: Settings, scene: Scene, content: bytes, **data: Any) -> str:
    """The code with which the job of an import fails."""
    accepted = await send(client, scene, content, **data)
    await run_jobs(settings, service.IMPORT_JOB)
    job = (await client.get(f"/v1/jobs/{accepted.json()['job_id']}", headers=auth(scene.editor))).json()
    assert (job["state"], bool(job["error_detail"])) == ("failed", True)
    assert (await report(client, scene, accepted.headers["Location"]))[0]["finished_at"] is not None
    return str(job["error_code"])


def document_of(entry: dict[str, Any]) -> Any:
    return entry["document_id"]


async def items_of(client: httpx.AsyncClient, scene: Scene, who: str = "viewer") -> dict[str, dict[str, Any]]:
    query = {"vault_id": str(scene.vault.id), "limit": 100}
    listed = await client.get("/v1/vault/items", params=query, headers=auth(scene.person(who)))
    return {item["title"]: item for item in listed.json()["items"]}


async def test_an_export_of_bitwarden_becomes_records_and_documents(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    told, entries = await bring(client, settings, scene, sample("bw.zip"))

    assert (told["format"], told["total"], told["imported"]) == ("bitwarden_zip", 5, 5)
    assert (told["duplicate"], told["refused"], told["name"]) == (0, 0, "export.bin")
    titles = ["Identity", "Mail login", "SSH", "Visa", "Will location"]
    assert [(entry["ordinal"], entry["outcome"], entry["title"]) for entry in entries] == [
        (number, "imported", title) for number, title in enumerate(titles)
    ]
    items = await items_of(client, scene)
    mail, attached = items["Mail login"], entries[1]
    assert mail["fields"]["password"] == 'p@ss,"w'
    link = f"/v1/vault/documents/{attached['document_id']}"
    assert (mail["notes"], mail["favourite"]) == ("note é ✓", False)  # it is a favourite of who has imported it
    assert (await items_of(client, scene, who="editor"))["Mail login"]["favourite"] is True
    links = (await client.get(f"/v1/vault/items/{mail['id']}/links", headers=auth(scene.viewer))).json()["items"]
    assert [(each["relation"], each["target"]["id"]) for each in links] == [("consists_of", document_of(attached))]
    assert attached["item_id"] == mail["id"]
    content = await client.get(f"{link}/content", headers=auth(scene.viewer))
    assert content.content == b"attachment body\n"
    document = (await client.get(link, headers=auth(scene.viewer))).json()
    assert (document["title"], document["name"], document["tags"]) == ("att.txt", "att.txt", [])
    assert mail["created_at"].startswith("2026-11-20T23:39:50.9")


async def test_what_the_vault_has_is_not_added_again(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    await bring(client, settings, scene, sample("bw.zip"))
    told, entries = await bring(client, settings, scene, sample("bw.zip"))

    assert (told["imported"], told["duplicate"], told["refused"]) == (0, 5, 0)
    assert {entry["outcome"] for entry in entries} == {"duplicate"}
    documents = await rows_of("SELECT id FROM vault_documents WHERE vault_id = :vault", vault=scene.vault.id)
    assert (len(await items_of(client, scene)), len(documents)) == (6, 2)


async def test_one_entry_twice_in_a_file_is_one_record(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    row = ["Mail", "https://a.example", "ann", "pw"]
    told, _ = await bring(client, settings, scene, table(["name", "url", "username", "password"], row, row))

    assert (told["imported"], told["duplicate"]) == (1, 1)


async def test_1password_and_protected_exports_and_mapped_tables(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    one, entries = await bring(client, settings, scene, onepassword(), format="onepux")
    protected, _ = await bring(client, settings, scene, sample("bw.enc.json"), password="export pass")
    content = with_argon2({"items": [{"type": 2, "name": "Argon"}]}, "blaue Kacheln")
    argon, _ = await bring(client, settings, scene, content, password="blaue Kacheln")
    mapping = json.dumps({"title": "Was", "number": "Nr"})
    content = table(["Was", "Nr", "Farbe"], ["Pass", "X1", "rot"])
    mapped, _ = await bring(client, settings, scene, content, mapping=mapping, record_type="passport", format="csv")

    assert [each["imported"] for each in (one, protected, argon, mapped)] == [5, 5, 1, 1]
    scan = next(entry for entry in entries if entry["title"] == "A scan")
    assert scan["item_id"] is None
    got = await client.get(f"/v1/vault/documents/{scan['document_id']}/content", headers=auth(scene.viewer))
    assert got.content == b"%PDF-1.4"
    items = await items_of(client, scene)
    assert (items["Pass"]["type"], items["Pass"]["fields"]) == ("passport", {"number": "X1", "Farbe": "rot"})
    versions = (await client.get(f"/v1/vault/items/{items['Mail']['id']}/versions", headers=auth(scene.viewer))).json()
    assert [version["fields"]["password"] for version in versions["items"]] == ["old secret"]
    assert items["Mail"]["revision"] == 2


async def test_entries_that_are_refused_are_told_with_their_reason(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    long = {"type": 2, "name": "Long", "notes": "x" * 200_000}
    files = {"attachments/a/empty.txt": b"", "attachments/a/good.txt": b"good"}
    content = archive({"data.json": {"items": [long, {"id": "a", "type": 2, "name": "A"}]}, **files})
    told, entries = await bring(client, settings, scene, content)

    assert (told["imported"], told["refused"]) == (1, 1)
    assert (entries[0]["outcome"], entries[0]["reason"]) == ("refused", "too-long-or-invalid")
    assert entries[0]["detail"] == "Not accepted as it is: notes"
    assert entries[1]["detail"] == "Left out: empty.txt (The file is empty)"
    query = {"outcome": "refused"}
    url = f"{IMPORTS}/{told['id']}/entries"
    refused = (await client.get(url, params=query, headers=auth(scene.editor))).json()["items"]
    assert [entry["title"] for entry in refused] == ["Long"]


async def test_a_full_vault_refuses_the_rest_and_keeps_what_was_brought(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    rows = [[f"Entry {number}", "", "", "pw"] for number in range(6)]
    with changed_settings(items_per_vault=4, documents_per_vault=1):
        told, entries = await bring(client, settings, scene, table(["name", "url", "username", "password"], *rows))
        attached = {"data.json": {"items": [{"id": "a", "type": 2, "name": "A"}]}, "attachments/a/b.txt": b"text"}
        with_file, more = await bring(client, settings, scene, archive(attached))

    assert (told["imported"], told["refused"]) == (3, 3)
    assert [entry["reason"] for entry in entries] == [None] * 3 + ["limit-reached"] * 3
    assert (with_file["refused"], more[0]["reason"]) == (1, "limit-reached")


@pytest.mark.parametrize(
    ("content", "data", "code"),
    [
        (b"PK\x03\x04 broken", {}, "damaged"),
        (b"just text", {}, "columns-unknown"),
        (sample("bw.enc.json"), {"password": "guess"}, "password-wrong"),
        (sample("bw.json"), {"format": "onepux"}, "other-format"),
        (archive({"data.json": {"items": []}, "attachments/a/b": bytes(3_000_000)}), {}, "too-large"),
    ],
    ids=["broken", "text", "password", "format", "bomb"],
)
async def test_a_file_that_can_not_be_read_fails_the_job_and_is_destroyed(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, content, data, code
):
    before = files_in(blob_folder(settings))
    with changed_settings(import_max_unpacked_bytes=2_000_000):
        assert await failure(client, settings, scene, content, **data) == code
    await run_jobs(settings, service.DELETE_BLOBS)

    assert files_in(blob_folder(settings)) - before == set()


async def test_the_file_is_sealed_while_it_waits_and_destroyed_with_its_password_after(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    before = files_in(blob_folder(settings))
    accepted = await send(client, scene, sample("bw.json"))
    [blob] = files_in(blob_folder(settings)) - before
    assert b"Mail login" not in blob.read_bytes()
    await run_jobs(settings, service.IMPORT_JOB)
    await run_jobs(settings, service.DELETE_BLOBS)

    assert not blob.exists()
    statement = "SELECT blob_name, finished_at, octet_length(body) AS size FROM vault_imports WHERE id = :id"
    [row] = await rows_of(statement, id=accepted.json()["id"])
    assert (row.blob_name, row.finished_at is not None) == (None, True)
    assert row.size < 100  # the name of the file, and what seals it


async def test_a_job_that_begins_anew_goes_on_where_the_killed_one_was(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    """Killed after the third transaction of the import, then at each of those that follow."""
    items = [{"id": str(number), "type": 2, "name": f"Entry {number}"} for number in range(250)]
    attachments = {f"attachments/{number}/a.txt": f"text {number}" for number in (0, 120, 249)}
    accepted = await send(client, scene, archive({"data.json": {"items": items}, **attachments}))
    job_id, left = UUID(accepted.json()["job_id"]), 3
    keep = Importing._keep

    async def keep_until_killed(self: Importing, *arguments: Any) -> None:
        nonlocal left
        await keep(self, *arguments)
        left -= 1
        if left == 0:
            raise Killed

    class Killed(BaseException):
        """The process is no more: its transaction was not committed."""

    monkeypatch.setattr(Importing, "_keep", keep_until_killed)
    kills = 0
    for _ in range(12):
        run = await jobs.take(job_id, 60)
        assert run is not None
        try:
            await run_import(run)
            break
        except Killed:
            kills, left = kills + 1, 2
            async with session_scope() as session:
                await session.execute(
                    text("UPDATE jobs SET due_at = now() - interval '1 s' WHERE id = :id"), {"id": job_id}
                )

    told, entries = await report(client, scene, accepted.headers["Location"])
    assert kills > 3
    assert (told["imported"], told["duplicate"], told["refused"]) == (250, 0, 0)
    assert [entry["ordinal"] for entry in entries] == list(range(250))
    counted = "SELECT count(*) AS held FROM {} WHERE vault_id = :vault"
    assert (await rows_of(counted.format("vault_items"), vault=scene.vault.id))[0].held == 251
    assert (await rows_of(counted.format("vault_documents"), vault=scene.vault.id))[0].held == 4


async def test_two_workers_at_one_import_bring_everything_once(client: httpx.AsyncClient, scene: Scene):
    items = [{"type": 2, "name": f"Entry {number}"} for number in range(300)]
    accepted = await send(client, scene, orjson.dumps({"items": items}))
    first = await jobs.take(UUID(accepted.json()["job_id"]), 60)
    async with session_scope() as session:
        await session.execute(
            text("UPDATE jobs SET due_at = now() - interval '1 s' WHERE id = :id"), {"id": accepted.json()["job_id"]}
        )
    second = await jobs.take(UUID(accepted.json()["job_id"]), 60)
    assert first is not None
    assert second is not None

    outcomes = await asyncio.gather(run_import(first), run_import(second), return_exceptions=True)

    assert isinstance(outcomes[0], LeaseLost)
    assert outcomes[1] is None
    told, _ = await report(client, scene, accepted.headers["Location"])
    assert told["imported"] == 300
    assert len(await rows_of("SELECT id FROM vault_items WHERE vault_id = :vault", vault=scene.vault.id)) == 301


@pytest.mark.slow
async def test_ten_thousand_entries_are_brought(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    rows = [[f"Entry {number}", f"https://{number}.example", "ann", f"secret {number}"] for number in range(10_000)]
    accepted = await send(client, scene, table(["name", "url", "username", "password"], *rows))
    await run_jobs(settings, service.IMPORT_JOB)

    told = (await client.get(accepted.headers["Location"], headers=auth(scene.editor))).json()
    job = (await client.get(f"/v1/jobs/{told['job_id']}", headers=auth(scene.editor))).json()
    assert (told["total"], told["imported"]) == (10_000, 10_000)
    assert (job["state"], job["progress"], job["progress_total"]) == ("succeeded", 1.0, 10_000)


async def test_a_file_whose_job_never_ended_is_destroyed_after_a_day(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    from datetime import timedelta

    before = files_in(blob_folder(settings))
    accepted = await send(client, scene, sample("bw.json"))
    async with session_scope() as session:
        await service.purge_imports(session, utc_now() + timedelta(hours=23))
        assert files_in(blob_folder(settings)) - before != set()
        assert await service.purge_imports(session, utc_now() + timedelta(hours=25)) >= 1
    await run_jobs(settings, service.DELETE_BLOBS)
    assert files_in(blob_folder(settings)) - before == set()
    await run_jobs(settings, service.IMPORT_JOB)
    job = (await client.get(f"/v1/jobs/{accepted.json()['job_id']}", headers=auth(scene.editor))).json()
    assert (job["state"], job["error_code"]) == ("failed", "file-gone")
    async with session_scope() as session:
        await service.purge_imports(session, utc_now() + timedelta(days=91))
    assert (await client.get(accepted.headers["Location"], headers=auth(scene.editor))).status_code == 404


async def test_who_lost_the_right_to_write_brings_nothing(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    accepted = await send(client, scene, sample("bw.json"))
    path = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.editor.id}"
    assert (await client.patch(path, json={"role": "viewer"}, headers=auth(scene.owner))).status_code == 200
    await run_jobs(settings, service.IMPORT_JOB)

    job = (await client.get(f"/v1/jobs/{accepted.json()['job_id']}", headers=auth(scene.editor))).json()
    assert (job["state"], job["error_code"]) == ("failed", "not-allowed")
    assert len(await items_of(client, scene)) == 1


async def test_imports_are_their_persons_own(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    told, _ = await bring(client, settings, scene, sample("bw.json"))
    url = f"{IMPORTS}/{told['id']}"

    for person in (scene.stranger, scene.owner):
        assert (await client.get(url, headers=auth(person))).status_code == 404
        assert (await client.get(f"{url}/entries", headers=auth(person))).status_code == 404
        listed = (await client.get(IMPORTS, headers=auth(person))).json()["items"]
        assert told["id"] not in [each["id"] for each in listed]
    listed = (await client.get(IMPORTS, headers=auth(scene.editor))).json()["items"]
    assert [each["id"] for each in listed] == [told["id"]]
    path = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.editor.id}"
    await client.delete(path, headers=auth(scene.owner))
    assert (await client.get(url, headers=auth(scene.editor))).status_code == 404
    assert (await client.get(IMPORTS, headers=auth(scene.editor))).json()["items"] == []


async def test_a_request_that_is_not_right_is_refused(client: httpx.AsyncClient, scene: Scene):
    content = sample("bw.json")
    reader = await make_user(scope="vault:read")
    files = {"file": ("a", content)}
    answers = [
        await send(client, scene, content, who="viewer"),
        await send(client, scene, content, who="stranger"),
        await send(client, scene, content, vault_id="no id"),
        await send(client, scene, content, format="xml"),
        await send(client, scene, content, mapping="no json"),
        await send(client, scene, content, mapping='{"title": 1}'),
        await send(client, scene, content, record_type="nothing"),
        await send(client, scene, content, colour="red"),
        await send(client, scene, b""),
        await client.post(IMPORTS, content=b"", headers=auth(scene.editor)),
        await client.post(IMPORTS, data={"vault_id": str(scene.vault.id)}, files=files, headers=auth(reader)),
    ]

    assert [each.status_code for each in answers] == [403, 404, *[422] * 7, 415, 403]


async def test_a_record_made_by_hand_counts_as_known(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    fields = {"username": "ann", "password": "pw", "url": "https://a.example"}
    await make_item(scene.owner, scene.vault, type="login", title="Mail", fields=fields)
    row = ["Mail", "https://a.example", "ann", "pw"]
    told, _ = await bring(client, settings, scene, table(["name", "url", "username", "password"], row))

    assert (told["imported"], told["duplicate"]) == (0, 1)
