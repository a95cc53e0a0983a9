"""Uploads in parts: kept as they come, resumed from any byte, whole in the end."""

import asyncio
import base64
import hashlib
import io
import os
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tusclient.client import TusClient

from app.core.clock import utc_now
from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.vault import service
from app.vault.service import parts
from tests.factories import auth, make_user
from tests.notifications.smtp import changed_settings
from tests.serving import api_process, environment_of
from tests.stack import free_port
from tests.vault.conftest import Scene, rows_of, run_jobs, speak
from tests.vault.test_uploads import blob_folder, files_in, watched_files

UPLOADS = "/v1/vault/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
STREAM = {"Content-Type": "application/offset+octet-stream"}
CONTENT = os.urandom(700_001)
MARKER = b"Marker-of-a-secret-0123456789"
MIB = 1024 * 1024


def metadata(**values: object) -> str:
    return ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in values.items())


async def begin(client: httpx.AsyncClient, scene: Scene, length: int, *, who: str = "editor", **values: object):
    values = {"vault_id": scene.vault.id, "filename": "policy.pdf"} | values
    headers = auth(scene.person(who)) | TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata(**values)}
    return await client.post(UPLOADS, headers=headers)


async def send(client: httpx.AsyncClient, scene: Scene, url: str, offset: int, content: Any, **more: str):
    headers = auth(scene.editor) | TUS | STREAM | {"Upload-Offset": str(offset)} | more
    return await client.patch(url, content=content, headers=headers)


async def offset_of(client: httpx.AsyncClient, scene: Scene, url: str) -> int:
    response = await client.head(url, headers=auth(scene.editor) | TUS)
    assert response.status_code == 200
    return int(response.headers["Upload-Offset"])


async def content_of(client: httpx.AsyncClient, scene: Scene, path: str) -> bytes:
    return (await client.get(f"{path}/content", headers=auth(scene.viewer))).content


async def test_options_tell_what_is_spoken(client: httpx.AsyncClient, settings: Settings):
    response = await client.options(UPLOADS, headers=auth(await make_user()))

    assert response.status_code == 204
    assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"
    extensions = {"creation", "creation-with-upload", "expiration", "termination", "checksum"}
    assert set(response.headers["Tus-Extension"].split(",")) == extensions
    assert response.headers["Tus-Max-Size"] == str(settings.max_upload_bytes)
    assert response.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"


async def test_a_file_sent_in_pieces_of_any_size_becomes_a_document(client: httpx.AsyncClient, scene: Scene):
    created = await begin(client, scene, len(CONTENT), title="Car insurance", tags="car,2026")
    assert created.status_code == 201
    url, at = created.headers["Location"], 0
    for step in (1, 262_143, 2, 262_144, 100_000, 10**9):
        assert await offset_of(client, scene, url) == at
        piece = CONTENT[at : at + step]
        sent = await send(client, scene, url, at, piece)
        at += len(piece)
        assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(at))
        assert sent.headers["Tus-Resumable"] == "1.0.0"

    document = sent.headers["Upload-Document"]
    read = (await client.get(document, headers=auth(scene.viewer))).json()
    assert (read["title"], read["tags"], read["name"]) == ("Car insurance", ["car", "2026"], "policy.pdf")
    assert (read["size"], read["sha256"]) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert await content_of(client, scene, document) == CONTENT
    part = await client.get(f"{document}/content", headers=auth(scene.viewer) | {"Range": "bytes=262100-524300"})
    assert (part.status_code, part.content) == (206, CONTENT[262100:524301])
    state = (await client.get(url, headers=auth(scene.editor))).json()
    assert (state["document_id"], state["version_id"]) == (read["id"], read["version_id"])
    job = (await client.get(f"/v1/jobs/{state['job_id']}", headers=auth(scene.editor))).json()
    assert job["kind"] == "rag.ingest"


async def test_the_parts_are_gone_when_the_document_is_there(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    before = files_in(blob_folder(settings))
    url = (await begin(client, scene, len(CONTENT))).headers["Location"]
    await send(client, scene, url, 0, CONTENT[:300_000])
    await send(client, scene, url, 300_000, CONTENT[300_000:])
    await run_jobs(settings, service.DELETE_BLOBS)

    assert await rows_of("SELECT id FROM vault_upload_parts WHERE vault_id = :vault", vault=scene.vault.id) == []
    assert len(files_in(blob_folder(settings)) - before) == 1


async def test_bytes_may_come_with_the_creation(client: httpx.AsyncClient, scene: Scene):
    headers = auth(scene.editor) | TUS | STREAM | {"Upload-Length": "10"}
    headers |= {"Upload-Metadata": metadata(vault_id=scene.vault.id, filename="a.txt")}

    some = await client.post(UPLOADS, content=b"01234", headers=headers)
    whole = await client.post(UPLOADS, content=b"0123456789", headers=headers)

    assert (some.status_code, some.headers["Upload-Offset"]) == (201, "5")
    assert (whole.status_code, whole.headers["Upload-Offset"]) == (201, "10")
    assert await content_of(client, scene, whole.headers["Upload-Document"]) == b"0123456789"
    rest = await send(client, scene, some.headers["Location"], 5, b"abcde")
    assert await content_of(client, scene, rest.headers["Upload-Document"]) == b"01234abcde"


async def test_an_upload_may_be_the_new_version_of_a_document(client: httpx.AsyncClient, scene: Scene):
    created = await begin(client, scene, 5, document_id=scene.document.id, filename="new.txt")
    sent = await send(client, scene, created.headers["Location"], 0, b"newer")

    assert sent.headers["Upload-Document"] == f"/v1/vault/documents/{scene.document.id}"
    read = (await client.get(sent.headers["Upload-Document"], headers=auth(scene.viewer))).json()
    assert (read["number"], read["name"], read["size"]) == (2, "new.txt", 5)


async def test_a_large_file_in_one_request_passes_through_little_memory_and_touches_no_other_file(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    before = files_in(blob_folder(settings))
    piece = MARKER + bytes(64 * 1024 - len(MARKER))
    url = (await begin(client, scene, 30 * MIB)).headers["Location"]

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30 * MIB // len(piece)):
            yield piece

    tracemalloc.start()
    with watched_files() as written:
        sent = await send(client, scene, url, 0, pieces())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(30 * MIB))
    assert written == []
    assert peak < 24 * MIB
    blobs = files_in(blob_folder(settings)) - before
    assert len(blobs) == 30 * MIB // parts.PART_BYTES + 2
    assert not any(MARKER in blob.read_bytes() for blob in blobs)


async def test_a_client_that_goes_away_finds_kept_what_had_come(
    client: httpx.AsyncClient, runtime: Runtime, scene: Scene
):
    url = (await begin(client, scene, len(CONTENT))).headers["Location"]
    messages = [{"type": "http.request", "body": CONTENT[:300_000], "more_body": True}, {"type": "http.disconnect"}]
    await speak(runtime, "PATCH", url, auth(scene.editor) | TUS | STREAM | {"Upload-Offset": "0"}, messages)

    assert await offset_of(client, scene, url) == 300_000
    sent = await send(client, scene, url, 300_000, CONTENT[300_000:])
    assert await content_of(client, scene, sent.headers["Upload-Document"]) == CONTENT


async def test_another_offset_is_refused_and_changes_nothing(client: httpx.AsyncClient, scene: Scene):
    url = (await begin(client, scene, 10)).headers["Location"]
    await send(client, scene, url, 0, b"0123")

    for offset in (0, 3, 5, 10):
        refused = await send(client, scene, url, offset, b"xx")
        assert (refused.status_code, refused.json()["code"]) == (409, "offset-mismatch")
        assert refused.headers["Upload-Offset"] == "4"
    assert await offset_of(client, scene, url) == 4


async def test_of_two_requests_that_send_the_same_bytes_one_is_refused(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    before = files_in(blob_folder(settings))
    url = (await begin(client, scene, 20)).headers["Location"]
    both = asyncio.Barrier(2)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"01234"
        await both.wait()
        yield b"56789"

    answers = await asyncio.gather(*(send(client, scene, url, 0, slowly()) for _ in range(2)))

    assert sorted(each.status_code for each in answers) == [204, 409]
    assert await offset_of(client, scene, url) == 10
    assert len(files_in(blob_folder(settings)) - before) == 1
    sent = await send(client, scene, url, 10, b"abcdefghij")
    assert await content_of(client, scene, sent.headers["Upload-Document"]) == b"0123456789abcdefghij"


async def test_more_bytes_than_said_are_refused(client: httpx.AsyncClient, scene: Scene):
    url = (await begin(client, scene, 10)).headers["Location"]

    refused = await send(client, scene, url, 0, b"01234567890")

    assert (refused.status_code, refused.json()["code"]) == (413, "file-too-large")
    assert await offset_of(client, scene, url) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_bytes_that_do_not_match_their_checksum_are_not_kept(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, algorithm: str
):
    url = (await begin(client, scene, len(CONTENT))).headers["Location"]
    blobs = files_in(blob_folder(settings))
    digest = base64.b64encode(hashlib.new(algorithm, CONTENT).digest()).decode()
    checksum = {"Upload-Checksum": f"{algorithm} {digest}"}

    wrong = await send(client, scene, url, 0, CONTENT[:-1] + b"?", **checksum)

    assert (wrong.status_code, wrong.json()["code"]) == (460, "checksum-mismatch")
    assert await offset_of(client, scene, url) == 0
    assert files_in(blob_folder(settings)) - blobs == set()
    right = await send(client, scene, url, 0, CONTENT, **checksum)
    assert right.status_code == 204
    assert await content_of(client, scene, right.headers["Upload-Document"]) == CONTENT


async def test_an_ended_upload_leaves_nothing(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    blobs = files_in(blob_folder(settings))
    url = (await begin(client, scene, 10)).headers["Location"]
    await send(client, scene, url, 0, b"0123")

    assert (await client.delete(url, headers=auth(scene.editor) | TUS)).status_code == 204
    await run_jobs(settings, service.DELETE_BLOBS)

    assert (await client.head(url, headers=auth(scene.editor) | TUS)).status_code == 404
    assert (await send(client, scene, url, 4, b"56")).status_code == 404
    assert files_in(blob_folder(settings)) - blobs == set()


async def test_an_expired_upload_is_swept_with_its_parts(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    blobs = files_in(blob_folder(settings))
    created = await begin(client, scene, 10)
    assert created.headers["Upload-Expires"].endswith("GMT")
    await send(client, scene, created.headers["Location"], 0, b"0123")

    async with session_scope() as session:
        assert await service.purge_uploads(session, utc_now() + timedelta(hours=23)) == 0
        assert await service.purge_uploads(session, utc_now() + timedelta(hours=25)) >= 1
    await run_jobs(settings, service.DELETE_BLOBS)

    assert await rows_of("SELECT id FROM vault_uploads WHERE vault_id = :vault", vault=scene.vault.id) == []
    assert files_in(blob_folder(settings)) - blobs == set()


async def test_a_file_whose_process_died_before_the_document_was_there_is_finished_by_the_sweep(
    client: httpx.AsyncClient, scene: Scene
):
    url = (await begin(client, scene, 10, title="Left")).headers["Location"]
    await send(client, scene, url, 0, b"01234")
    upload_id = url.rpartition("/")[2]
    async with session_scope() as session:  # as if the process had died between the last part and the document
        row = (await session.execute(text("SELECT * FROM vault_uploads WHERE id = :id"), {"id": upload_id})).one()
        await session.execute(text("UPDATE vault_uploads SET length = 5 WHERE id = :id"), {"id": upload_id})
    assert row.received == 5

    assert await service.finish_left(utc_now()) == 0
    assert await service.finish_left(utc_now() + timedelta(minutes=5)) == 1
    assert await service.finish_left(utc_now() + timedelta(minutes=5)) == 0

    finished = await client.head(url, headers=auth(scene.editor) | TUS)
    assert await content_of(client, scene, finished.headers["Upload-Document"]) == b"01234"


async def test_the_last_bytes_may_be_told_twice_and_make_one_document(client: httpx.AsyncClient, scene: Scene):
    url = (await begin(client, scene, 5)).headers["Location"]
    first = await send(client, scene, url, 0, b"01234")
    again = await send(client, scene, url, 5, b"")

    assert first.headers["Upload-Document"] == again.headers["Upload-Document"]
    rows = await rows_of("SELECT id FROM vault_documents WHERE vault_id = :vault", vault=scene.vault.id)
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "tus-version-unknown"),
        ({"Tus-Resumable": ""}, 412, "tus-version-unknown"),
        ({"Upload-Length": "0"}, 422, "unprocessable"),
        ({"Upload-Length": "many"}, 422, "unprocessable"),
        ({"Upload-Length": str(2**52)}, 413, "file-too-large"),
        ({"Upload-Metadata": "vault_id !!"}, 422, "unprocessable"),
        ({"Upload-Metadata": "vault_id AAA"}, 400, "metadata-unreadable"),
        ({"Upload-Metadata": metadata(filename="a")}, 422, "upload-without-vault"),
        ({"Upload-Metadata": metadata(vault_id="no id")}, 422, "unprocessable"),
        ({"Upload-Metadata": metadata(vault_id="0" * 32, title="x" * 201)}, 422, "unprocessable"),
        ({"Upload-Metadata": metadata(vault_id="0" * 32)}, 404, "vault-not-found"),
        ({"Upload-Metadata": metadata(document_id="0" * 32)}, 404, "document-not-found"),
    ],
)
async def test_a_creation_that_is_not_right_is_refused(client: httpx.AsyncClient, scene: Scene, change, status, code):
    headers = {**TUS, "Upload-Length": "5", "Upload-Metadata": metadata(vault_id=scene.vault.id)} | change

    response = await client.post(UPLOADS, headers=auth(scene.editor) | headers)

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"Tus-Resumable": "2.0.0"}, 412, "tus-version-unknown"),
        ({"Content-Type": "application/pdf"}, 415, "offset-stream-expected"),
        ({"Upload-Offset": "-1"}, 422, "unprocessable"),
        ({"Upload-Checksum": "crc32 AAAA"}, 422, "unprocessable"),
        ({"Upload-Checksum": "sha1 AAAAA"}, 400, "checksum-unknown"),
    ],
)
async def test_a_part_that_is_not_right_is_refused(client: httpx.AsyncClient, scene: Scene, change, status, code):
    url = (await begin(client, scene, 5)).headers["Location"]

    response = await send(client, scene, url, 0, b"01234", **change)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert await offset_of(client, scene, url) == 0


async def test_who_may_not_write_begins_no_upload_and_sees_none(client: httpx.AsyncClient, scene: Scene):
    assert (await begin(client, scene, 5, who="viewer")).status_code == 403
    assert (await begin(client, scene, 5, who="stranger")).status_code == 404
    assert (await begin(client, scene, 5, who="viewer", document_id=scene.document.id)).status_code == 403
    assert (await begin(client, scene, 5, who="stranger", document_id=scene.document.id)).status_code == 404
    url = (await begin(client, scene, 5)).headers["Location"]
    for person in (scene.stranger, scene.owner):
        headers = auth(person) | TUS
        assert (await client.head(url, headers=headers)).status_code == 404
        assert (await client.get(url, headers=headers)).status_code == 404
        assert (await client.delete(url, headers=headers)).status_code == 404
        patch = await client.patch(url, content=b"01234", headers=headers | STREAM | {"Upload-Offset": "0"})
        assert patch.status_code == 404
    reader = await make_user(scope="vault:read")
    headers = auth(reader) | TUS | {"Upload-Length": "5", "Upload-Metadata": metadata(vault_id=scene.vault.id)}
    assert (await client.post(UPLOADS, headers=headers)).status_code == 403


async def test_a_removed_member_adds_nothing_more(client: httpx.AsyncClient, scene: Scene):
    url = (await begin(client, scene, 5)).headers["Location"]
    path = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.editor.id}"
    assert (await client.delete(path, headers=auth(scene.owner))).status_code == 204

    assert (await send(client, scene, url, 0, b"01234")).status_code == 404


async def test_there_are_limits(client: httpx.AsyncClient, scene: Scene):
    with changed_settings(max_upload_bytes=4):
        too_large = await begin(client, scene, 5)
    with changed_settings(uploads_per_user=1):
        first, second = await begin(client, scene, 5), await begin(client, scene, 5)
        await send(client, scene, first.headers["Location"], 0, b"01234")
        third = await begin(client, scene, 5)
    with changed_settings(documents_per_vault=2):
        full = await begin(client, scene, 5)

    assert (too_large.status_code, too_large.json()["code"]) == (413, "file-too-large")
    assert (second.status_code, second.json()["code"]) == (409, "limit-reached")
    assert third.status_code == 201
    assert (full.status_code, full.json()["code"]) == (409, "limit-reached")


async def fill_plan(scene: Scene) -> None:
    """Let the owner's family have used all of its storage."""
    statement = """UPDATE payments_usage_counters SET used = 1000000000000000 WHERE meter = 'storage_bytes'
        AND family_id = (SELECT family_id FROM payments_usage_entries WHERE user_id = :owner LIMIT 1)"""
    async with session_scope() as session:
        await session.execute(text(statement), {"owner": scene.owner.id})


async def test_a_plan_without_room_refuses_the_document_and_keeps_the_bytes(client: httpx.AsyncClient, scene: Scene):
    url = (await begin(client, scene, 5)).headers["Location"]
    with changed_settings(enforce_plan_limits=True):
        await fill_plan(scene)
        refused = await send(client, scene, url, 0, b"01234")

    assert (refused.status_code, refused.json()["code"]) == (402, "plan-limit-reached")
    assert await offset_of(client, scene, url) == 5


async def test_a_damaged_part_makes_no_document(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    blobs = files_in(blob_folder(settings))
    url = (await begin(client, scene, 10)).headers["Location"]
    await send(client, scene, url, 0, b"01234")
    [part] = files_in(blob_folder(settings)) - blobs
    part.write_bytes(part.read_bytes()[:-1] + b"?")

    refused = await send(client, scene, url, 5, b"56789")

    assert (refused.status_code, refused.json()["code"]) == (500, "content-damaged")
    rows = await rows_of("SELECT id FROM vault_documents WHERE vault_id = :vault", vault=scene.vault.id)
    assert len(rows) == 1


def send_slowly(url: str, headers: dict[str, str], content: bytes, stop: threading.Event) -> None:
    """Send the first 6 MiB of a file in one request, then nothing until the end."""

    def pieces() -> Iterator[bytes]:
        for begin in range(0, 6 * MIB, 64 * 1024):
            yield content[begin : begin + 64 * 1024]
        stop.wait(60)

    with suppress(httpx.TransportError):
        httpx.patch(url, content=pieces(), headers=headers | TUS | STREAM | {"Upload-Offset": "0"}, timeout=60)


@pytest.mark.slow
async def test_a_real_client_goes_on_after_the_api_was_killed_in_the_middle_of_a_request(
    settings: Settings, scene: Scene
):
    content, port, stop = os.urandom(9 * MIB), free_port(), threading.Event()
    file = io.BytesIO(content)
    client = TusClient(f"http://127.0.0.1:{port}{UPLOADS}", headers=auth(scene.editor))
    said = {"vault_id": str(scene.vault.id), "filename": "scan.bin"}
    with api_process(environment_of(settings), port) as process:
        url = await asyncio.to_thread(client.uploader(file_stream=file, metadata=said).create_url)
        sender = threading.Thread(target=send_slowly, args=(url, auth(scene.editor), content, stop))
        sender.start()
        kept = await until_some_is_kept(url)
        process.kill()
        process.wait()
        stop.set()
        sender.join()

    assert kept == parts.PART_BYTES
    assert await received(url) == kept
    with api_process(environment_of(settings), port):
        uploader = client.uploader(file_stream=file, url=url, chunk_size=2 * MIB, upload_checksum=True)
        assert uploader.offset == kept
        await asyncio.to_thread(uploader.upload)
        answer = await asyncio.to_thread(httpx.head, url, headers=auth(scene.editor) | TUS)
        document = f"http://127.0.0.1:{port}{answer.headers['Upload-Document']}/content"
        got = await asyncio.to_thread(httpx.get, document, headers=auth(scene.viewer))
        assert hashlib.sha256(got.content).digest() == hashlib.sha256(content).digest()


async def until_some_is_kept(url: str) -> int:
    for _ in range(600):
        if kept := await received(url):
            return kept
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was kept")


async def received(url: str) -> int:
    [row] = await rows_of("SELECT received FROM vault_uploads WHERE id = :id", id=url.rpartition("/")[2])
    return int(row.received)
