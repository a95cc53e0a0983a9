"""Exports: everything is in them, they open without us, they come back whole, and nobody else gets them."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import httpx
import pyrage
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.core.config import Settings
from app.db.session import session_scope
from app.vault import service
from app.vault.archive.names import Names, safe_name
from app.vault.archive.zips import ZipStream
from tests.factories import TestUser, auth, make_document, make_item, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, cells_of, rows_of, run_jobs
from tests.vault.import_files import records
from tests.vault.test_imports_jobs import bring
from tests.vault.test_uploads import blob_folder, files_in

pytestmark = pytest.mark.slow

EXPORTS = "/v1/vault/exports"
PASSPHRASE = "seven green kettles on the shelf"
SCAN = os.urandom(600_000)


async def ask(client: httpx.AsyncClient, person: TestUser, **data: Any) -> httpx.Response:
    return await client.post(EXPORTS, json=data, headers=auth(person))


async def ready(client: httpx.AsyncClient, settings: Settings, person: TestUser, **data: Any) -> str:
    """The path of an export that is written."""
    accepted = await ask(client, person, **data)
    assert accepted.status_code == 202, accepted.text
    await run_jobs(settings, service.EXPORT_JOB)
    return str(accepted.headers["Location"])


async def fetch(client: httpx.AsyncClient, settings: Settings, person: TestUser, **data: Any) -> bytes:
    path = await ready(client, settings, person, **data)
    got = await client.get(f"{path}/content", headers=auth(person))
    assert got.status_code == 200, got.text
    return got.content


def opened(content: bytes) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("lifevault.json"))


@pytest.fixture
async def full(client: httpx.AsyncClient, scene: Scene) -> Scene:
    """Records with history, an earlier version of a file, and something of each kind in the trash."""
    owner, headers = scene.owner, auth(scene.owner)
    item = f"/v1/vault/items/{scene.item.id}"
    for change in ({"fields": {"number": "X1", "expires_on": "2031-05-31"}}, {"title": "Neu ✓", "tags": ["a", "b"]}):
        assert (await client.patch(item, json=change, headers=headers)).status_code == 200
    amount = {"premium": {"amount": "12.50", "currency": "EUR"}, "own field": True}
    await make_item(owner, scene.vault, type="insurance_policy", title="<b>Car</b>", fields=amount, notes="Line\nline")
    gone = await make_item(owner, scene.vault, type="secure_note", title="Thrown away", notes="still here")
    await client.delete(f"/v1/vault/items/{gone.id}", headers=headers)
    await client.put(f"/v1/vault/documents/{scene.document.id}/content", content=b"second", headers=headers)
    scan = await make_document(owner, scene.vault, content=SCAN, name="../con.bin", title="A/B: scan?", tags=("car",))
    await make_document(owner, scene.vault, content=b"other", name="policy.txt")
    await client.delete(f"/v1/vault/documents/{scan.id}", headers=headers)
    drone = {
        "vault_id": str(scene.vault.id),
        "label": "Drone",
        "fields": [{"name": "range", "label": "R", "type": "number"}],
    }
    kind = (await client.post("/v1/vault/types", json=drone, headers=headers)).json()["name"]
    flying = await make_item(owner, scene.vault, type=kind, title="Mavic", fields={"range": 12})
    ends = {"source": {"item_id": str(flying.id)}, "target": {"document_id": str(scene.document.id)}}
    await client.post("/v1/vault/links", json={**ends, "relation": "proven_by", "label": "bill"}, headers=headers)
    await client.put(f"/v1/vault/items/{flying.id}/favourite", headers=headers)
    return scene


class Links(HTMLParser):
    """The addresses that a page links to, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_an_export_holds_everything_and_opens_without_us(
    client: httpx.AsyncClient, settings: Settings, full: Scene
):
    archive, about = opened(await fetch(client, settings, full.viewer))

    [vault] = about["vaults"]
    items = {item["title"]: item for item in vault["items"]}
    assert set(items) == {"Neu ✓", "<b>Car</b>", "Thrown away", "Mavic"}
    assert [(kind["name"], kind["label"]) for kind in vault["types"]] == [(items["Mavic"]["type"], "Drone")]
    assert [(link["relation"], link["label"]) for link in vault["links"]] == [("proves", "bill")]
    assert [version["title"] for version in items["Neu ✓"]["history"]] == ["Ada's passport", "Ada's passport"]
    assert items["Neu ✓"]["history"][1]["fields"] == {"number": "X1", "expires_on": "2031-05-31"}
    assert items["<b>Car</b>"]["fields"]["premium"] == {"amount": "12.50", "currency": "EUR"}
    assert items["Thrown away"]["trashed_at"]
    paths = {version["path"]: version for each in vault["documents"] for version in each["versions"]}
    assert set(paths) == {
        "Family papers/Earlier versions/policy.txt",
        "Family papers/policy.txt",
        "Family papers/policy (2).txt",
        "Family papers/Trash/_con.bin",
    }
    for path, version in paths.items():
        assert hashlib.sha256(archive.read(path)).hexdigest() == version["sha256"]
    assert archive.read("Family papers/Trash/_con.bin") == SCAN
    manifest = json.loads(archive.read("manifest.json"))["files"]
    assert {each["path"] for each in manifest} == set(archive.namelist()) - {"manifest.json"}
    for each in manifest:
        assert hashlib.sha256(archive.read(each["path"])).hexdigest() == each["sha256"]
    assert b"manifest.json" in archive.read("README.txt")


async def test_the_page_of_an_export_lists_everything_and_asks_for_nothing(
    client: httpx.AsyncClient, settings: Settings, full: Scene
):
    archive, _ = opened(await fetch(client, settings, full.owner, vault_ids=[str(full.vault.id)]))

    page = archive.read("index.html").decode()
    seen = Links(page)
    for words in (
        "Family papers",
        "Neu ✓",
        "<b>Car</b>",
        "12.50 EUR",
        "Thrown away",
        "in the trash",
        "X1",
        "own field",
    ):
        assert words in seen.text
    assert {unquote(link) for link in seen.links} == {
        name for name in archive.namelist() if name.startswith("Family papers/")
    }
    assert "<script" not in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize("protected", [False, True])
async def test_what_is_exported_wiped_and_imported_is_there_again(
    client: httpx.AsyncClient, settings: Settings, full: Scene, protected: bool
):
    before = await everything(client, full.owner, str(full.vault.id))
    protection = {"passphrase": PASSPHRASE} if protected else None
    content = await fetch(client, settings, full.owner, vault_ids=[str(full.vault.id)], protection=protection)
    if protected:
        content = pyrage.passphrase.decrypt(content, PASSPHRASE)
    for path in ("", "/purge"):
        method = "POST" if path else "DELETE"
        url = f"/v1/vault/vaults/{full.vault.id}{path}"
        assert (await client.request(method, url, headers=auth(full.owner))).status_code in (202, 204)
    await run_jobs(settings, service.PURGE_JOB)
    assert await rows_of("SELECT id FROM vault_items WHERE vault_id = :vault", vault=full.vault.id) == []
    vault = await make_vault(full.owner)
    again = Scene(**{**vars(full), "vault": vault, "editor": full.owner})

    told, entries = await bring(client, settings, again, content)

    assert (told["format"], told["imported"], told["refused"]) == ("lifevault", 7, 0)
    assert await everything(client, full.owner, str(vault.id)) == before
    again_told, _ = await bring(client, settings, again, content)
    trashed = sum(1 for entry in entries if entry["title"] in ("Thrown away", "A/B: scan?"))
    assert (again_told["imported"], again_told["duplicate"]) == (trashed, 7 - trashed)


async def everything(client: httpx.AsyncClient, person: TestUser, vault_id: str) -> list[Any]:
    """All that can be read of a vault, besides ids: records, history, files with all versions, the trash."""
    headers, found = auth(person), list[Any]()
    for what in ("items", "documents"):
        for trashed in (False, True):
            query = {"vault_id": vault_id, "limit": 100, "trashed": trashed}
            for each in (await client.get(f"/v1/vault/{what}", params=query, headers=headers)).json()["items"]:
                url = f"/v1/vault/{what}/{each['id']}"
                if trashed:
                    await client.post(f"{url}/restore", headers=headers)
                versions = (await client.get(f"{url}/versions", headers=headers)).json()["items"]
                contents = [
                    (await client.get(f"{url}/content", params={"version": version["number"]}, headers=headers)).content
                    for version in versions
                    if what == "documents"
                ]
                linked = (await client.get(f"{url}/links", headers=headers)).json()["items"]
                if trashed:
                    await client.delete(url, headers=headers)
                hidden = {"id", "vault_id", "version_id", "job_id", "item_id", "trashed_at", "written_by"}
                if str(each.get("type")).startswith("custom:"):
                    kind = await client.get(f"/v1/vault/types/{each['type'].removeprefix('custom:')}", headers=headers)
                    each["type"] = {k: v for k, v in kind.json().items() if k not in ("id", "vault_id", "name")}
                plain = [{k: v for k, v in thing.items() if k not in hidden} for thing in (each, *versions)]
                ends = sorted((link["relation"], link["label"], link["target"]["title"]) for link in linked)
                found.append((what, trashed, plain, contents, ends))
    return found


async def test_an_export_is_encrypted_for_a_recipient(client: httpx.AsyncClient, settings: Settings, full: Scene):
    identity = pyrage.x25519.Identity.generate()
    content = await fetch(client, settings, full.owner, protection={"recipient": str(identity.to_public())})

    assert content.startswith(b"age-encryption.org/v1\n")
    archive, _ = opened(pyrage.decrypt(content, [identity]))
    assert archive.read("Family papers/Trash/_con.bin") == SCAN


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
async def test_the_json_of_bitwarden_is_written_and_read_again(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, passphrase: str | None
):
    login = {"username": "ann", "password": "old", "url": "https://a.example", "PIN": "12", "on": True}
    mail = await make_item(scene.owner, scene.vault, type="login", title="Mail", fields=login, tags=("Home",))
    change = {"fields": {"password": "new"}}
    await client.patch(f"/v1/vault/items/{mail.id}", json=change, headers=auth(scene.owner))
    card = {"number": "4111", "holder": "A B", "valid_until": "2030-01", "security_code": "123"}
    await make_item(scene.owner, scene.vault, type="card", title="Visa", fields=card)
    contact = {"full_name": "Ann Lee", "email": "a@b.example"}
    await make_item(scene.owner, scene.vault, type="contact", title="Ann", fields=contact)
    protection = {"passphrase": passphrase} if passphrase else None
    content = await fetch(client, settings, scene.owner, format="bitwarden", protection=protection)

    assert json.loads(content)["encrypted"] is bool(passphrase)
    assert (b"Mail" in content) is not bool(passphrase)
    found = records(content, password=passphrase)
    assert found["Mail"].content["fields"] == {**login, "password": "new"}
    assert found["Mail"].content["tags"] == ["Home"]
    assert [past.content["fields"]["password"] for past in found["Mail"].history] == ["old"]
    assert (found["Visa"].type, found["Visa"].content["fields"]) == ("card", card)
    assert (found["Ann"].type, found["Ann"].content["fields"]) == ("contact", contact)
    assert found["Ada's passport"].type == "secure_note"


async def test_an_export_is_sealed_counted_and_served_by_ranges(
    client: httpx.AsyncClient, settings: Settings, full: Scene
):
    before = files_in(blob_folder(settings))
    path = await ready(client, settings, full.owner, vault_ids=[str(full.vault.id)])
    [blob] = files_in(blob_folder(settings)) - before
    assert b"lifevault.json" not in blob.read_bytes()
    shown = (await client.get(path, headers=auth(full.owner))).json()
    whole = await client.get(f"{path}/content", headers=auth(full.owner))

    assert (shown["ready"], shown["size"]) == (True, len(whole.content))
    assert shown["sha256"] == hashlib.sha256(whole.content).hexdigest()
    assert shown["name"] == f"lifevault-export-{utc_now():%Y-%m-%d}.zip"
    assert shown["name"] in whole.headers["Content-Disposition"]
    headers = auth(full.owner) | {"Range": "bytes=262100-262200"}
    part = await client.get(f"{path}/content", headers=headers)
    assert (part.status_code, part.content) == (206, whole.content[262100:262201])
    known = await client.get(f"{path}/content", headers=auth(full.owner) | {"If-None-Match": whole.headers["ETag"]})
    assert known.status_code == 304
    job = (await client.get(f"/v1/jobs/{shown['job_id']}", headers=auth(full.owner))).json()
    assert (job["state"], job["progress_total"]) == ("succeeded", 8)
    assert ("vault_exports" in {table for table, _ in await cells_of(full.owner.id)}) is True


async def test_an_export_needs_a_fresh_proof_of_identity_and_a_person(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    path = await ready(client, settings, scene.owner)
    key = {"name": "program", "scopes": ["vault:read"]}
    made = (await client.post("/v1/auth/api-keys", json=key, headers=auth(scene.owner))).json()
    program = {"Authorization": f"Bearer {made['key']}"}
    assert (await client.post(EXPORTS, json={}, headers=program)).json()["code"] == "session-needed"
    assert (await client.get(f"{path}/content", headers=program)).json()["code"] == "session-needed"
    statement = "UPDATE auth_sessions SET authenticated_at = now() - interval '1 day' WHERE id = :id"
    async with session_scope() as session:
        await session.execute(text(statement), {"id": scene.owner.session_id})

    old = [await ask(client, scene.owner), await client.get(f"{path}/content", headers=auth(scene.owner))]

    assert [(each.status_code, each.json()["code"]) for each in old] == [(403, "step-up-required")] * 2
    assert (await client.get(path, headers=auth(scene.owner))).status_code == 200


async def test_an_export_is_its_persons_own_and_only_while_they_may_read(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    path = await ready(client, settings, scene.viewer, vault_ids=[str(scene.vault.id)])
    for person in (scene.owner, scene.stranger):
        for url, method in ((path, "GET"), (f"{path}/content", "GET"), (path, "DELETE")):
            assert (await client.request(method, url, headers=auth(person))).status_code == 404
    assert (await ask(client, scene.stranger, vault_ids=[str(scene.vault.id)])).status_code == 404
    url = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.viewer.id}"
    await client.delete(url, headers=auth(scene.owner))

    assert (await client.get(f"{path}/content", headers=auth(scene.viewer))).status_code == 404
    assert (await client.get(path, headers=auth(scene.viewer))).status_code == 404
    assert (await client.delete(path, headers=auth(scene.viewer))).status_code == 204


async def test_a_member_who_is_removed_before_it_is_written_gets_no_export(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    accepted = await ask(client, scene.viewer, vault_ids=[str(scene.vault.id)])
    url = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.viewer.id}"
    await client.delete(url, headers=auth(scene.owner))
    await run_jobs(settings, service.EXPORT_JOB)

    job = (await client.get(f"/v1/jobs/{accepted.json()['job_id']}", headers=auth(scene.viewer))).json()
    assert (job["state"], job["error_code"]) == ("failed", "vault-gone")


async def test_an_export_goes_when_it_is_deleted_expires_or_its_vault_is_purged(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    before = files_in(blob_folder(settings))
    one, two, three = [await ready(client, settings, scene.owner) for _ in range(3)]
    accepted = await ask(client, scene.owner)
    not_ready = await client.get(f"{accepted.headers['Location']}/content", headers=auth(scene.owner))
    assert (not_ready.status_code, not_ready.json()["code"]) == (409, "export-not-ready")

    assert (await client.delete(one, headers=auth(scene.owner))).status_code == 204
    await client.delete(accepted.headers["Location"], headers=auth(scene.owner))
    async with session_scope() as session:
        assert await service.purge_exports(session, utc_now() + timedelta(hours=23)) == 0
        statement = text("UPDATE vault_exports SET expires_at = now() - interval '1 s' WHERE id = :id")
        await session.execute(statement, {"id": two.rpartition("/")[2]})
        assert await service.purge_exports(session, utc_now()) >= 1
    assert await service.forget_exports(scene.vault.id) == 1
    await run_jobs(settings, service.EXPORT_JOB)
    await run_jobs(settings, service.DELETE_BLOBS)

    for path in (one, two, three):
        assert (await client.get(path, headers=auth(scene.owner))).status_code == 404
    assert files_in(blob_folder(settings)) - before == set()
    job = (await client.get(f"/v1/jobs/{accepted.json()['job_id']}", headers=auth(scene.owner))).json()
    assert (job["state"], job["error_code"]) == ("failed", "export-gone")


async def test_a_damaged_file_is_told_and_the_rest_is_there(client: httpx.AsyncClient, settings: Settings, full: Scene):
    names = "SELECT blob_name FROM vault_document_versions WHERE document_id = :document AND number = 1"
    [row] = await rows_of(names, document=full.document.id)
    [blob] = [path for path in files_in(blob_folder(settings)) if path.name == row.blob_name]
    blob.write_bytes(os.urandom(blob.stat().st_size))
    archive, about = opened(await fetch(client, settings, full.owner, vault_ids=[str(full.vault.id)]))

    damaged = [v["path"] for each in about["vaults"][0]["documents"] for v in each["versions"] if v["damaged"]]
    assert damaged == ["Family papers/Earlier versions/policy.txt"]
    assert "incomplete" in Links(archive.read("index.html").decode()).text
    assert archive.read("Family papers/policy.txt") == b"second"


async def test_a_request_that_is_not_right_is_refused(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    identity = str(pyrage.x25519.Identity.generate().to_public())
    wrong = identity[:-1] + ("q" if identity[-1] != "q" else "p")
    profile_only = await make_user(scope="profile")
    answers = [
        await ask(client, scene.owner, format="pdf"),
        await ask(client, scene.owner, vault_ids=[]),
        await ask(client, scene.owner, protection={"passphrase": "short"}),
        await ask(client, scene.owner, protection={"recipient": "age1"}),
        await ask(client, scene.owner, protection={"recipient": wrong}),
        await ask(client, scene.owner, protection={"recipient": identity, "passphrase": PASSPHRASE}),
        await ask(client, profile_only),
    ]
    with changed_settings(exports_per_user=1):
        answers += [await ask(client, scene.owner), await ask(client, scene.owner)]

    assert [each.status_code for each in answers] == [*[422] * 6, 403, 202, 409]


async def test_the_same_request_twice_makes_one_export(client: httpx.AsyncClient, scene: Scene):
    headers = auth(scene.owner) | {"Idempotency-Key": "once"}
    first, again = [await client.post(EXPORTS, json={}, headers=headers) for _ in range(2)]

    assert first.json() == again.json()
    listed = (await client.get(EXPORTS, headers=auth(scene.owner))).json()["items"]
    assert [each["id"] for each in listed] == [first.json()["id"]]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_._etc_passwd"),
        ("a\\b:c*d?", "a_b_c_d_"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        (" . ", "Untitled"),
        ("x" * 300 + ".pdf", "x" * 76 + ".pdf"),
        ("gnp\u202eexe.pdf", "gnp_exe.pdf"),
        (".hidden", "hidden"),
    ],
)
def test_names_are_safe_on_every_system(name: str, safe: str):
    assert safe_name(name) == safe


def test_no_name_is_given_out_twice():
    names = Names()

    assert [names.take("a/", "b.txt"), names.take("a/", "B.txt"), names.take("c/", "b.txt")] == [
        "a/b.txt",
        "a/B (2).txt",
        "c/b.txt",
    ]


async def test_a_zip_is_written_as_a_stream_and_read_by_others():
    async def content() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield SCAN

    stream = ZipStream()
    pieces = [piece async for piece in stream.add("ä/ö.bin", content(), utc_now(), packed=False)]
    pieces += [piece async for piece in stream.add("text.txt", content(), utc_now())]
    archive = zipfile.ZipFile(io.BytesIO(b"".join([*pieces, stream.close()])))

    assert archive.testzip() is None
    assert archive.read("ä/ö.bin") == SCAN * 5
    assert [entry.sha256 for entry in stream.entries] == [hashlib.sha256(SCAN * 5).hexdigest()] * 2
    assert max(len(piece) for piece in pieces) < 1.1 * len(SCAN)
