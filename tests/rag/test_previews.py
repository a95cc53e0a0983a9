"""Pictures of pages: drawn in the limited process, turned the right way, without what a camera wrote into them."""

import io
import os
import struct
import zlib
from datetime import timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from app.core.clock import utc_now
from app.core.config import Settings
from app.rag import previews
from app.vault import service
from tests.factories import auth, make_document, make_user
from tests.rag.parsing_files import pdf
from tests.vault.conftest import Scene, rows_of, run_jobs, scene
from tests.vault.test_uploads import blob_folder, files_in

__all__ = ["scene"]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
MARKER = "Marker-of-a-camera-0123456789"
LEFT, RIGHT = (200, 0, 0), (0, 0, 200)


def photo(kind: str = "JPEG", *, orientation: int = 1, size: tuple[int, int] = (400, 200), mode: str = "RGB") -> bytes:
    """Red on the left, blue on the right; with a place and a name in its metadata."""
    image = Image.new("RGB", size, LEFT)
    image.paste(RIGHT, (size[0] // 2, 0, *size))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, MARKER
    output = io.BytesIO()
    image.convert(mode).save(output, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    return output.getvalue()


def path_of(document: Any, page: int = 1) -> str:
    return f"/v1/rag/documents/{document.id}/pages/{page}/preview"


async def show(client: httpx.AsyncClient, scene: Scene, document: Any, page: int = 1, **query: object):
    return await client.get(path_of(document, page), params=query, headers=auth(scene.viewer))


def opened(response: httpx.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(response.content))
    image.load()
    return image


async def test_each_page_of_a_pdf_is_drawn_in_the_width_that_is_asked_for(client: httpx.AsyncClient, scene: Scene):
    document = await make_document(scene.owner, scene.vault, content=pdf("The first page", "And"), name="a.pdf")

    first, second = opened(await show(client, scene, document)), opened(await show(client, scene, document, 2))
    small = opened(await show(client, scene, document, width=161))

    assert (first.width, small.width) == (640, 320)
    assert abs(first.height / first.width - small.height / small.width) < 0.01
    ink = [sum(1 for grey in image.convert("L").tobytes() if grey < 128) for image in (first, second)]
    assert ink[0] > ink[1] > 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
async def test_a_photo_is_shown_without_its_metadata(client: httpx.AsyncClient, scene: Scene, kind: str):
    content = photo(kind)
    document = await make_document(scene.owner, scene.vault, content=content, name="photo")
    assert kind in ("GIF", "TIFF") or MARKER.encode() in content

    response = await show(client, scene, document, width=160)

    image = opened(response)
    assert image.size == (160, 80)
    assert MARKER.encode() not in response.content
    assert set(chunks_of(response.content)) == {b"IHDR", b"IDAT", b"IEND"}
    assert near(image.getpixel((10, 40)), LEFT)
    assert near(image.getpixel((150, 40)), RIGHT)


@pytest.mark.parametrize(
    ("orientation", "size", "left_is"),
    [(1, (160, 80), "left"), (3, (160, 80), "right"), (6, (160, 320), "top"), (8, (160, 320), "bottom")],
)
async def test_a_photo_is_turned_as_its_camera_said(
    client: httpx.AsyncClient, scene: Scene, orientation: int, size: tuple[int, int], left_is: str
):
    document = await make_document(scene.owner, scene.vault, content=photo(orientation=orientation), name="a.jpg")

    image = opened(await show(client, scene, document, width=160))

    places = {
        "left": (5, size[1] // 2),
        "right": (size[0] - 5, size[1] // 2),
        "top": (size[0] // 2, 5),
        "bottom": (size[0] // 2, size[1] - 5),
    }
    assert image.size == size
    assert near(image.getpixel(places[left_is]), LEFT)


def near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=True))


def chunks_of(png: bytes) -> list[bytes]:
    """The kinds of chunks of a PNG (section 5.3)."""
    at, kinds = 8, []
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kinds.append(png[at + 4 : at + 8])
        at += 12 + length
    return kinds


async def test_a_small_picture_stays_small_and_a_transparent_one_is_on_white(client: httpx.AsyncClient, scene: Scene):
    image = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    output = io.BytesIO()
    image.save(output, "PNG")
    document = await make_document(scene.owner, scene.vault, content=output.getvalue(), name="a.png")

    shown = opened(await show(client, scene, document, width=1600))

    assert (shown.size, shown.getpixel((3, 3))) == ((20, 10), (255, 255, 255))


async def test_every_page_of_a_fax_is_shown(client: httpx.AsyncClient, scene: Scene):
    pages, output = [Image.new("L", (30, 20), grey) for grey in (10, 200)], io.BytesIO()
    pages[0].save(output, "TIFF", save_all=True, append_images=pages[1:])
    document = await make_document(scene.owner, scene.vault, content=output.getvalue(), name="fax.tif")

    greys = [opened(await show(client, scene, document, page)).getpixel((1, 1)) for page in (1, 2)]
    beyond = await show(client, scene, document, 3)

    assert greys == [(10, 10, 10), (200, 200, 200)]
    assert (beyond.status_code, beyond.json()["code"]) == (404, "page-not-found")


async def test_a_picture_is_drawn_once_and_kept_sealed(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    document = await make_document(scene.owner, scene.vault, content=photo(), name="a.jpg")
    before = files_in(blob_folder(settings))

    drawn = await show(client, scene, document)
    monkeypatch.setattr(previews, "show_page", None)
    kept = await show(client, scene, document, width=600)
    known = await client.get(path_of(document), headers=auth(scene.viewer) | {"If-None-Match": drawn.headers["ETag"]})

    assert kept.content == drawn.content
    assert (known.status_code, known.content) == (304, b"")
    [blob] = files_in(blob_folder(settings)) - before
    assert b"PNG" not in blob.read_bytes()[:100]
    assert drawn.headers["Cache-Control"] == "private, no-cache"


async def test_a_damaged_kept_picture_is_drawn_again(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    document = await make_document(scene.owner, scene.vault, content=photo(), name="a.jpg")
    before = files_in(blob_folder(settings))
    drawn = await show(client, scene, document)
    [blob] = files_in(blob_folder(settings)) - before
    blob.write_bytes(os.urandom(blob.stat().st_size))

    assert (await show(client, scene, document)).content == drawn.content
    rows = await rows_of("SELECT blob_name FROM rag_previews WHERE document_id = :document", document=document.id)
    assert [row.blob_name for row in rows] != [blob.name]


async def test_pictures_go_with_their_document_and_after_a_while(
    client: httpx.AsyncClient, settings: Settings, scene: Scene
):
    one, other = [await make_document(scene.owner, scene.vault, content=photo(), name="a.jpg") for _ in range(2)]
    before = files_in(blob_folder(settings))
    for document in (one, other):
        opened(await show(client, scene, document, width=160))
    pictures = files_in(blob_folder(settings)) - before
    assert len(pictures) == 2

    assert (await client.delete(f"/v1/vault/documents/{one.id}", headers=auth(scene.owner))).status_code == 204
    assert (await show(client, scene, one)).status_code == 404
    await client.post(f"/v1/vault/documents/{one.id}/purge", headers=auth(scene.owner))
    await run_jobs(settings, service.DELETE_BLOBS)
    assert len(files_in(blob_folder(settings)) & pictures) == 1
    assert await previews.sweep(utc_now() + timedelta(days=29)) == 0
    assert await previews.sweep(utc_now() + timedelta(days=31)) >= 1
    assert files_in(blob_folder(settings)) & pictures == set()


async def test_an_earlier_version_has_its_own_picture(client: httpx.AsyncClient, scene: Scene):
    document = await make_document(scene.owner, scene.vault, content=photo(), name="a.jpg")
    url = f"/v1/vault/documents/{document.id}/content"
    await client.put(url, content=photo(size=(100, 100)), headers=auth(scene.owner))

    now, before = (
        await show(client, scene, document, width=160),
        await show(client, scene, document, version=1, width=160),
    )

    assert (opened(now).size, opened(before).size) == ((100, 100), (160, 80))
    assert now.headers["ETag"] != before.headers["ETag"]
    assert (await show(client, scene, document, version=3)).status_code == 404


def huge_png() -> bytes:
    """A picture that would need 40 GB, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"Just text.", "a.txt"),
        (pdf("Secret", encrypt="key"), "locked.pdf"),
        (b"%PDF-1.4 cut off", "cut.pdf"),
        (photo()[:300], "cut.jpg"),
        (huge_png(), "huge.png"),
    ],
    ids=["text", "locked", "cut pdf", "cut photo", "huge"],
)
async def test_what_can_not_be_drawn_is_said(client: httpx.AsyncClient, scene: Scene, content: bytes, name: str):
    document = await make_document(scene.owner, scene.vault, content=content, name=name)

    refused = await show(client, scene, document)

    assert (refused.status_code, refused.json()["code"]) == (404, "no-preview")
    assert refused.json()["detail"]


async def test_who_may_not_read_sees_no_picture(client: httpx.AsyncClient, scene: Scene):
    document = await make_document(scene.owner, scene.vault, content=photo(), name="a.jpg")
    opened(await show(client, scene, document))
    profile_only = await make_user(scope="profile")

    assert (await client.get(path_of(document), headers=auth(scene.stranger))).status_code == 404
    assert (await client.get(path_of(document), headers=auth(profile_only))).status_code == 403
    assert (await show(client, scene, document, width=1601)).status_code == 422
    assert (await show(client, scene, document, 0)).status_code == 422
