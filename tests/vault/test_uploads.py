"""Uploads: streamed, encrypted on the way, and without a trace when they fail."""

import os
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from app.core.config import Settings
from app.db.runtime import Runtime, current
from tests.factories import auth
from tests.notifications.smtp import changed_settings
from tests.vault.conftest import Scene, rows_of, speak

DOCUMENTS = "/v1/vault/documents"
MARKER = b"Marker-of-a-secret-0123456789"
MIB = 1024 * 1024
opened: list[tuple[Any, ...]] | None = None


def note_opened_files(event: str, arguments: tuple[Any, ...]) -> None:
    if opened is not None and (event.startswith("tempfile.") or (event == "open" and is_write(arguments))):
        opened.append((event, arguments))


def is_write(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return "w" in (mode or "") or "+" in (mode or "") or bool(flags & (os.O_WRONLY | os.O_RDWR))


@cache
def listen() -> None:
    """Hear of every file from now on: there is no way to take it back, and it slows the process."""
    sys.addaudithook(note_opened_files)


@contextmanager
def watched_files() -> Iterator[list[tuple[Any, ...]]]:
    """Every file that Python opens for writing, temporary ones too."""
    global opened
    listen()
    opened = []
    try:
        yield opened
    finally:
        opened = None


def blob_folder(settings: Settings) -> Path:
    return Path(unquote(urlsplit(settings.blob_url).path))


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def part(name: str, content: bytes, *, file_name: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name else "")
    return f"--edge\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=edge"}
END = b"--edge--\r\n"


async def post(client: httpx.AsyncClient, scene: Scene, content: Any, headers: dict[str, str] = FORM):
    return await client.post(DOCUMENTS, content=content, headers=auth(scene.editor) | headers)


async def nothing_left(scene: Scene, blobs: set[Path]) -> bool:
    rows = await rows_of("SELECT id FROM vault_documents WHERE vault_id = :vault", vault=scene.vault.id)
    return [row.id for row in rows] == [scene.document.id] and files_in(blob_folder(current().settings)) == blobs


@pytest.fixture
def blobs(runtime: Runtime, scene: Scene) -> set[Path]:
    return files_in(blob_folder(runtime.settings))


async def test_a_large_file_passes_through_little_memory_and_touches_no_other_file(
    client: httpx.AsyncClient, runtime: Runtime, scene: Scene, blobs: set[Path]
):
    size = 30 * MIB
    piece = MARKER + bytes(64 * 1024 - len(MARKER))

    async def form() -> AsyncIterator[bytes]:
        yield part("vault_id", str(scene.vault.id).encode())
        yield part("file", b"", file_name="large.bin").removesuffix(b"\r\n")
        for _ in range(size // len(piece)):
            yield piece
        yield b"\r\n" + END

    tracemalloc.start()
    with watched_files() as written:
        accepted = await post(client, scene, form())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (accepted.status_code, accepted.json()["size"]) == (202, size)
    assert written == []
    assert peak < 16 * MIB
    [blob] = files_in(blob_folder(runtime.settings)) - blobs
    assert size < blob.stat().st_size < size + size // 1000
    assert MARKER not in blob.read_bytes()


async def test_parts_may_come_in_any_order_and_in_any_pieces(client: httpx.AsyncClient, scene: Scene):
    vault = part("vault_id", str(scene.vault.id).encode())
    file = part("file", b"one\r\n--edg two\r\n", file_name="a.txt")
    others = part("title", "Tïtle".encode()) + part("tags", b"a") + part("tags", b"b")

    for body in (vault + file + others + END, others + file + vault + END):
        for step in (1, 7, len(body)):
            accepted = await post(client, scene, pieces(body, step))
            assert accepted.status_code == 202, accepted.text
            document = (await client.get(accepted.headers["Location"], headers=auth(scene.viewer))).json()
            assert (document["title"], document["tags"], document["name"]) == ("Tïtle", ["a", "b"], "a.txt")
            content = await client.get(f"{accepted.headers['Location']}/content", headers=auth(scene.viewer))
            assert content.content == b"one\r\n--edg two\r\n"


async def pieces(body: bytes, step: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), step):
        yield body[start : start + step]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {"Content-Type": "application/pdf"}, 415, "form-expected"),
        (b"", {"Content-Type": "multipart/form-data"}, 415, "form-expected"),
        (END, FORM, 422, "file-missing"),
        (b"no form at all", FORM, 400, "invalid-form"),
        ([("vault_id", None)], FORM, 422, "file-missing"),
        ([("file", b"")], FORM, 422, "empty-file"),
        ([("file", b"text")], FORM, 422, "unprocessable"),
        ([("vault_id", b"no id"), ("file", b"text")], FORM, 422, "unprocessable"),
        ([("file", b"text"), ("vault_id", b"no id")], FORM, 422, "unprocessable"),
        ([("vault_id", None), ("file", b"text"), ("file", b"text")], FORM, 400, "invalid-form"),
        ([("vault_id", None), ("file", b"text"), ("colour", b"red")], FORM, 422, "unprocessable"),
        ([("vault_id", None), ("file", b"text"), ("title", b"\xff\xfe")], FORM, 400, "invalid-form"),
        ([("vault_id", None), ("file", b"text"), ("title", b"x" * 40_000)], FORM, 400, "invalid-form"),
        ([("vault_id", None), ("file", b"text"), *([("tags", b"a")] * 80)], FORM, 400, "invalid-form"),
    ],
)
async def test_a_form_that_is_not_right_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, scene: Scene, blobs: set[Path], body, headers, status, code
):
    if isinstance(body, list):
        parts = [(name, str(scene.vault.id).encode() if content is None else content) for name, content in body]
        file_name = {"file": "a.txt"}
        body = b"".join(part(name, content, file_name=file_name.get(name)) for name, content in parts) + END

    response = await post(client, scene, body, headers)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert await nothing_left(scene, blobs)


@pytest.mark.parametrize("cut", [10, 150, 300, 2000])
async def test_a_form_that_ends_too_early_leaves_nothing(
    client: httpx.AsyncClient, scene: Scene, blobs: set[Path], cut
):
    body = part("vault_id", str(scene.vault.id).encode()) + part("file", bytes(3000), file_name="a") + END

    response = await post(client, scene, body[:cut])

    assert (response.status_code, response.json()["code"]) == (400, "invalid-form")
    assert await nothing_left(scene, blobs)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_client_that_goes_away_leaves_nothing(runtime: Runtime, scene: Scene, blobs: set[Path], method):
    begin = part("vault_id", str(scene.vault.id).encode()) + part("file", b"", file_name="a").removesuffix(b"\r\n")
    messages = [{"type": "http.request", "body": begin if method == "POST" else b"x", "more_body": True}]
    messages += [{"type": "http.request", "body": os.urandom(MIB), "more_body": True} for _ in range(12)]
    messages += [{"type": "http.disconnect"}]
    path = DOCUMENTS if method == "POST" else f"{DOCUMENTS}/{scene.document.id}/content"
    sent = await speak(runtime, method, path, auth(scene.editor) | FORM, messages)

    assert messages == []
    assert sent[0]["status"] == 400
    assert await nothing_left(scene, blobs)


async def test_a_file_over_the_limit_is_refused_while_it_arrives(
    client: httpx.AsyncClient, scene: Scene, blobs: set[Path]
):
    asked = 0

    async def form() -> AsyncIterator[bytes]:
        nonlocal asked
        yield part("vault_id", str(scene.vault.id).encode())
        yield part("file", b"", file_name="large.bin").removesuffix(b"\r\n")
        for _ in range(100):
            asked += 1
            yield bytes(MIB)
        yield b"\r\n" + END

    with changed_settings(max_upload_bytes=2 * MIB):
        response = await post(client, scene, form())

    assert (response.status_code, response.json()["code"]) == (413, "file-too-large")
    assert asked <= 4
    assert await nothing_left(scene, blobs)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("stranger", 404)])
async def test_a_vault_that_is_not_ones_to_write_is_refused_before_the_file_is_read(
    client: httpx.AsyncClient, scene: Scene, role, status
):
    asked = 0

    async def form() -> AsyncIterator[bytes]:
        nonlocal asked
        yield part("vault_id", str(scene.vault.id).encode())
        yield part("file", b"", file_name="large.bin").removesuffix(b"\r\n")
        for _ in range(100):
            asked += 1
            yield bytes(64 * 1024)

    headers = auth(scene.person(role)) | FORM
    response = await client.post(DOCUMENTS, content=form(), headers=headers)

    assert response.status_code == status
    assert asked == 0


async def test_an_empty_body_is_no_new_version(client: httpx.AsyncClient, scene: Scene, blobs: set[Path]):
    url = f"{DOCUMENTS}/{scene.document.id}/content"

    response = await client.put(url, content=b"", headers=auth(scene.editor))

    assert (response.status_code, response.json()["code"]) == (422, "empty-file")
    assert await nothing_left(scene, blobs)


async def test_no_connection_is_held_while_a_file_arrives(client: httpx.AsyncClient, runtime: Runtime, scene: Scene):
    held = []

    async def form() -> AsyncIterator[bytes]:
        yield part("vault_id", str(scene.vault.id).encode())
        yield part("file", b"", file_name="a").removesuffix(b"\r\n")
        yield bytes(1000)
        held.append(runtime.engine.pool.status())
        yield bytes(1000)
        held.append(runtime.engine.pool.checkedout())  # type: ignore[attr-defined]
        yield b"\r\n" + END

    assert (await post(client, scene, form())).status_code == 202
    assert held[1] == 0
