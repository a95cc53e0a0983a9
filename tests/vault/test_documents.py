"""Documents: downloads, ranges, versions, trash."""

from typing import Any

import httpx
import pytest

from app.db.runtime import Runtime, current
from app.vault.ranges import chosen_range
from app.vault.router.downloads import attachment
from tests.factories import auth, make_document, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of

DOCUMENTS = "/v1/vault/documents"
CONTENT = bytes(range(256)) * 1200  # more than one chunk


async def upload(
    client: httpx.AsyncClient, scene: Scene, content: bytes = CONTENT, name: str = "scan.pdf", **data: Any
):
    body = {"vault_id": str(scene.vault.id)} | data
    return await client.post(DOCUMENTS, data=body, files={"file": (name, content)}, headers=auth(scene.editor))


async def test_an_uploaded_file_is_accepted_described_and_given_back(client: httpx.AsyncClient, scene: Scene):
    content = b"%PDF-1.7\n" + CONTENT

    accepted = await upload(client, scene, content, title="Car insurance", tags=["car", "2026"])

    assert accepted.status_code == 202
    document = accepted.json()
    url = accepted.headers["Location"]
    assert url == f"{DOCUMENTS}/{document['id']}"
    assert (document["size"], document["media_type"], document["number"]) == (len(content), "application/pdf", 1)
    job = (await client.get(f"/v1/jobs/{document['job_id']}", headers=auth(scene.editor))).json()
    assert (job["kind"], job["subject_id"]) == ("rag.ingest", document["version_id"])
    read = (await client.get(url, headers=auth(scene.viewer))).json()
    assert read["title"] == "Car insurance"
    assert read["tags"] == ["car", "2026"]
    assert {name: read[name] for name in ("id", "version_id", "job_id", "name", "size", "sha256", "media_type")} == {
        name: document[name] for name in ("id", "version_id", "job_id", "name", "size", "sha256", "media_type")
    }

    got = await client.get(f"{url}/content", headers=auth(scene.viewer))

    assert (got.status_code, got.content) == (200, content)
    assert got.headers["ETag"] == f'"{document["sha256"]}"'
    assert got.headers["Content-Type"] == "application/pdf"
    assert got.headers["Content-Length"] == str(len(content))
    assert got.headers["Content-Disposition"].startswith('attachment; filename="scan.pdf"')
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=262140-262150", (262140, 262151)),
        ("bytes=300000-", (300000, len(CONTENT))),
        ("bytes=-5", (len(CONTENT) - 5, len(CONTENT))),
        ("bytes=0-999999999", (0, len(CONTENT))),
    ],
)
async def test_a_range_is_served_exactly(client: httpx.AsyncClient, scene: Scene, header, expected):
    document = (await upload(client, scene)).json()

    got = await client.get(f"{DOCUMENTS}/{document['id']}/content", headers=auth(scene.viewer) | {"Range": header})

    start, end = expected
    assert (got.status_code, got.content) == (206, CONTENT[start:end])
    assert got.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert got.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=5-2", "bytes=-", "bytes"])
async def test_several_ranges_and_nonsense_get_the_whole_file(client: httpx.AsyncClient, scene: Scene, header):
    url = f"{DOCUMENTS}/{scene.document.id}/content"

    got = await client.get(url, headers=auth(scene.viewer) | {"Range": header})

    assert (got.status_code, len(got.content)) == (200, scene.document.size)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=24-24000", "bytes=-0"])
async def test_a_range_behind_the_end_is_416_with_the_size(client: httpx.AsyncClient, scene: Scene, header):
    url = f"{DOCUMENTS}/{scene.document.id}/content"
    size = scene.document.size
    assert size == 25

    got = await client.get(url, headers=auth(scene.viewer) | {"Range": header.replace("24-24000", "25-24000")})

    assert (got.status_code, got.json()["code"]) == (416, "no-such-range")
    assert got.headers["Content-Range"] == f"bytes */{size}"


def test_ranges_are_half_open_inside():
    assert chosen_range(None, 10) is None
    assert chosen_range("bytes=2-3", 10) == (2, 4)
    assert chosen_range("bytes=-20", 10) == (0, 10)


async def test_a_range_of_another_content_gets_the_whole_file(client: httpx.AsyncClient, scene: Scene):
    url = f"{DOCUMENTS}/{scene.document.id}/content"
    headers = auth(scene.viewer) | {"Range": "bytes=0-1"}

    same = await client.get(url, headers=headers | {"If-Range": f'"{scene.document.sha256}"'})
    other = await client.get(url, headers=headers | {"If-Range": '"other"'})

    assert (same.status_code, other.status_code) == (206, 200)


async def test_head_says_what_get_would(client: httpx.AsyncClient, scene: Scene):
    url = f"{DOCUMENTS}/{scene.document.id}/content"

    head = await client.head(url, headers=auth(scene.viewer))
    got = await client.get(url, headers=auth(scene.viewer))

    assert (head.status_code, head.content) == (200, b"")
    names = ("ETag", "Content-Length", "Content-Type", "Content-Disposition", "Accept-Ranges")
    assert {name: head.headers[name] for name in names} == {name: got.headers[name] for name in names}
    known = await client.get(url, headers=auth(scene.viewer) | {"If-None-Match": got.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\scan.pdf", "scan.pdf"),
        ("naïve – résumé.pdf", "naïve – résumé.pdf"),
        ("a\u202eb.txt", "ab.txt"),
        ("/", "Untitled"),
    ],
)
async def test_a_file_name_is_only_a_name(client: httpx.AsyncClient, scene: Scene, sent, kept):
    document = (await upload(client, scene, name=sent)).json()

    assert document["name"] == kept


def test_a_name_can_not_break_out_of_its_header():
    header = attachment('a"; filename="evil.exe\\\r\nSet-Cookie: a=b ü%41.pdf')

    assert "\r" not in header.partition("filename*")[0]
    assert header.count('"') == 2
    assert header.isascii()
    assert attachment("ü.pdf") == "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C3%BC.pdf"


async def test_the_content_tells_the_type_and_not_the_name(client: httpx.AsyncClient, scene: Scene):
    document = (await upload(client, scene, b"\x89PNG\r\n\x1a\n" + bytes(50), "innocent.pdf")).json()

    assert document["media_type"] == "image/png"


async def test_an_equal_file_in_the_same_vault_is_noticed(client: httpx.AsyncClient, scene: Scene):
    first = (await upload(client, scene, b"the same")).json()
    second = (await upload(client, scene, b"the same")).json()
    elsewhere = await make_vault(scene.owner)
    third = await make_document(scene.owner, elsewhere, content=b"the same")

    assert (first["duplicate_of"], second["duplicate_of"], third.duplicate_of) == (None, first["id"], None)
    digests = await rows_of(
        "SELECT DISTINCT content_digest FROM vault_document_versions WHERE document_id = ANY(:ids)",
        ids=[first["id"], second["id"], str(third.id)],
    )
    assert len(digests) == 2


async def test_a_new_version_takes_the_place_of_the_old_one_which_is_kept(client: httpx.AsyncClient, scene: Scene):
    url = f"{DOCUMENTS}/{scene.document.id}"

    replaced = await client.put(f"{url}/content", content=b"Second", headers=auth(scene.editor) | {"If-Match": '"1"'})
    late = await client.put(f"{url}/content", content=b"Third", headers=auth(scene.editor) | {"If-Match": '"1"'})

    assert (replaced.status_code, replaced.json()["number"]) == (202, 2)
    assert (late.status_code, late.json()["code"]) == (412, "stale-revision")
    read = (await client.get(url, headers=auth(scene.viewer))).json()
    assert (read["number"], read["revision"], read["job_id"]) == (2, 2, replaced.json()["job_id"])
    assert (await client.get(f"{url}/content", headers=auth(scene.viewer))).content == b"Second"
    first = await client.get(f"{url}/content", params={"version": 1}, headers=auth(scene.viewer))
    assert first.content == b"The excess is 250 euros.\n"
    assert (await client.get(f"{url}/content", params={"version": 3}, headers=auth(scene.viewer))).status_code == 404
    versions = (await client.get(f"{url}/versions", headers=auth(scene.viewer))).json()["items"]
    assert [(each["number"], each["name"]) for each in versions] == [(2, "policy.txt"), (1, "policy.txt")]


async def test_title_and_tags_change_and_the_index_is_told_of_a_new_title(client: httpx.AsyncClient, scene: Scene):
    url = f"{DOCUMENTS}/{scene.document.id}"

    tagged = await client.patch(url, json={"tags": ["car"]}, headers=auth(scene.editor))
    renamed = await client.patch(url, json={"title": "Policy"}, headers=auth(scene.editor) | {"If-Match": '"2"'})
    late = await client.patch(url, json={"title": "Late"}, headers=auth(scene.editor) | {"If-Match": '"2"'})

    assert [each.status_code for each in (tagged, renamed, late)] == [200, 200, 412]
    assert (renamed.json()["title"], renamed.json()["tags"]) == ("Policy", ["car"])
    events = (
        "SELECT payload FROM outbox_events WHERE event = 'vault.document_renamed' AND payload->>'document_id' = :id"
    )
    told = await rows_of(events, id=str(scene.document.id))
    assert [row.payload for row in told] == [{"document_id": str(scene.document.id), "vault_id": str(scene.vault.id)}]
    query = {"vault_id": str(scene.vault.id), "tag": "Car"}
    assert len((await client.get(DOCUMENTS, params=query, headers=auth(scene.viewer))).json()["items"]) == 1


async def test_pages_of_documents_follow_each_other(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    vaults = [await make_vault(owner), await make_vault(owner)]
    made = [str((await make_document(owner, vaults[number % 2])).id) for number in range(5)]

    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(DOCUMENTS, params=query, headers=auth(owner))).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]

    assert seen == made[::-1]


async def test_a_trashed_document_is_hidden_until_it_is_restored(client: httpx.AsyncClient, scene: Scene):
    url = f"{DOCUMENTS}/{scene.document.id}"
    assert (await client.delete(url, headers=auth(scene.editor))).status_code == 204

    for path in (url, f"{url}/content", f"{url}/versions"):
        assert (await client.get(path, headers=auth(scene.owner))).status_code == 404
    assert (await client.put(f"{url}/content", content=b"x", headers=auth(scene.owner))).status_code == 404
    query = {"vault_id": str(scene.vault.id), "trashed": True}
    trash = (await client.get(DOCUMENTS, params=query, headers=auth(scene.viewer))).json()["items"]
    assert [each["id"] for each in trash] == [str(scene.document.id)]

    assert (await client.post(f"{url}/restore", headers=auth(scene.editor))).json()["trashed_at"] is None
    assert (await client.get(f"{url}/content", headers=auth(scene.viewer))).status_code == 200


async def test_a_vault_holds_no_more_documents_than_allowed(client: httpx.AsyncClient, scene: Scene):
    with changed_settings(documents_per_vault=2):
        accepted = await upload(client, scene)
        blobs = {name async for name, _ in current().blobs.names()}
        refused = await upload(client, scene)

    assert accepted.status_code == 202
    assert (refused.status_code, refused.json()["code"]) == (409, "limit-reached")
    assert {name async for name, _ in current().blobs.names()} == blobs
