"""Files made to do harm, or broken by chance, end as pages or as a reason: soon, within limits, alone."""

import asyncio
import io
import os
import random
import socket
import sys
import time
import zipfile
import zlib
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from app.rag.parsing import Limits, PageEvent, Unreadable
from app.rag.parsing.sandbox import _Reader
from app.rag.reader.errors import REASONS
from app.rag.reader.wire import Job, encode_frame, encode_job
from tests.rag.parsing_files import WORD, _office, archive, docx, epub, mail, odt, pdf, picture, pptx, rtf, xlsx
from tests.rag.parsing_reader import read, reason

BROKEN = int(os.environ.get("LIFEVAULT_TEST_BROKEN", "16"))  # the long run: LIFEVAULT_TEST_BROKEN=1000
STRICT = Limits(max_seconds=30, max_cpu_seconds=10, max_memory_bytes=700 * 1024 * 1024, max_pages=500)
SAMPLES = {
    "a.docx": docx("One paragraph", "Another one"),
    "a.eml": mail("Hello", ("a.pdf", pdf("x")), ("b.docx", docx("y"))),
    "a.epub": epub("Chapter"),
    "a.html": b"<html><body><p>Hello <b>you</b></p></body></html>",
    "a.odt": odt("Paragraph"),
    "a.pdf": pdf("Page one", "Page two"),
    "a.png": picture("Hello"),
    "a.pptx": pptx("Slide"),
    "a.rtf": rtf("Paragraph"),
    "a.txt": b"Hello",
    "a.xlsx": xlsx({"Sheet": [["a", "b"]]}),
}


def broken(content: bytes, seed: int) -> bytes:
    """The content with some bytes changed, a piece cut out or doubled."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    start = chance.randrange(len(data))
    end = min(start + chance.randrange(1, 200), len(data))
    match seed % 3:
        case 0:
            del data[start:end]
        case 1:
            data[start:start] = data[start:end] * 3
    return bytes(data)


def pdf_object(number: int, body: bytes) -> bytes:
    return b"%d 0 obj\n%b\nendobj\n" % (number, body)


def content_bomb(megabytes: int) -> bytes:
    """A PDF of a few kilobytes whose only page draws text without end."""
    stream = zlib.compress(b"BT /F1 9 Tf 9 9 Td (bomb bomb bomb bomb) Tj ET\n" * (megabytes * 21_000), 9)
    objects = [
        pdf_object(1, b"<</Type/Catalog/Pages 2 0 R>>"),
        pdf_object(2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>"),
        pdf_object(
            3, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
        ),
        pdf_object(4, b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(stream), stream)),
        pdf_object(5, b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"),
    ]
    return b"%PDF-1.4\n" + b"".join(objects) + b"trailer<</Root 1 0 R>>\n%%EOF"


def deep_pdf(levels: int) -> bytes:
    """A PDF whose page tree is nested as deep as it can be."""
    nodes = b"".join(
        pdf_object(number, b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (number + 1)) for number in range(2, levels)
    )
    nested = pdf_object(levels, b"[" * 100_000 + b"]" * 100_000)
    return (
        b"%PDF-1.4\n"
        + pdf_object(1, b"<</Type/Catalog/Pages 2 0 R>>")
        + nodes
        + nested
        + b"trailer<</Root 1 0 R>>\n%%EOF"
    )


def endless_pages() -> bytes:
    """A PDF that claims two billion pages."""
    return (
        b"%PDF-1.4\n"
        + pdf_object(1, b"<</Type/Catalog/Pages 2 0 R>>")
        + pdf_object(2, b"<</Type/Pages/Kids[2 0 R]/Count 2000000000>>")
        + b"trailer<</Root 1 0 R>>\n%%EOF"
    )


def word(document: str) -> bytes:
    return _office("word/document.xml", "wordprocessingml.document", {"word/document.xml": document})


ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
ENTITY_BOMB = word(
    f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a0 "ha">{ENTITIES}]><w:document xmlns:w="{WORD}"><w:body><w:p><w:r>'
    "<w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"
)
READS_FILE = word(
    f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><w:document xmlns:w="{WORD}"><w:body>'
    "<w:p><w:r><w:t>start &x; end</w:t></w:r></w:p></w:body></w:document>"
)


def zip_bomb(paragraphs: int) -> bytes:
    """A Word file that grows a thousandfold when it is unpacked."""
    return word(f'<w:document xmlns:w="{WORD}"><w:body>' + "<w:p/>" * paragraphs + "</w:body></w:document>")


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "entities": ("a.docx", lambda: ENTITY_BOMB),
    "zip": ("a.docx", lambda: zip_bomb(20_000_000)),
    "content of a page": ("a.pdf", lambda: content_bomb(200)),
    "tree of pages": ("a.pdf", lambda: deep_pdf(20_000)),
    "number of pages": ("a.pdf", endless_pages),
    "nested html": ("a.html", lambda: b"<div>" * 2_000_000),
    "unclosed html": ("a.html", lambda: b"<!--" * 500_000 + b"<a " * 500_000),
    "nested rtf": ("a.rtf", lambda: b"{\\rtf1 " + b"{" * 1_000_000),
    "headers of a mail": ("a.eml", lambda: b"MIME-Version: 1.0\n" + b"X: y\n" * 500_000),
    "one line": ("a.txt", lambda: b"a" * 100_000_000),
    "path out of a zip": (
        "a.epub",
        lambda: archive({"mimetype": "application/epub+zip", "../../etc/cron.d/x": "evil"}),
    ),
    "circle in a tiff": ("a.tiff", lambda: b"II*\0\x08\0\0\0" + bytes(2) + b"\x08\0\0\0"),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.slow
async def test_a_file_made_to_do_harm_ends_in_time(bomb: str) -> None:
    name, make = BOMBS[bomb]
    content = make()
    started = time.monotonic()

    why = await reason(content, name, STRICT)

    assert why in {"", *REASONS}
    assert time.monotonic() - started < STRICT.max_seconds + 5


async def test_an_external_entity_brings_no_file_of_the_machine_into_the_text() -> None:
    pages: list[PageEvent] = []
    with suppress(Unreadable):
        pages = await read(READS_FILE, "a.docx")

    assert not any("root:" in page.text for page in pages)


@contextmanager
def visitors() -> Iterator[tuple[int, list[bytes]]]:
    """A server that notes who comes; yields its port and its notes."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    seen.append(connection.recv(1000))

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)


async def test_nothing_that_a_file_refers_to_is_fetched() -> None:
    with visitors() as (port, seen):
        url = f"http://127.0.0.1:{port}/x"
        html = (
            f"<html><head><link rel=stylesheet href='{url}'><base href='{url}'></head><body>hello<img src='{url}'>"
            f"<iframe src='{url}'></iframe><script src='{url}'></script></body></html>"
        ).encode()
        entity = f'<?xml version="1.0"?><!DOCTYPE d SYSTEM "{url}"><w:document xmlns:w="{WORD}"><w:body/></w:document>'
        for content, name in (
            (html, "a.html"),
            (mail("x", ("b.html", html)), "a.eml"),
            (word(entity), "a.docx"),
            (url.encode(), "a.png"),
            (url.encode(), "a.txt"),
        ):
            await reason(content, name)

    assert seen == []


@pytest.mark.slow
async def test_an_error_that_nobody_foresaw_is_told_by_its_class_only() -> None:
    parts = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3_000))
    content = b"MIME-Version: 1.0\n" + parts + b"\nThe secret word"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.rag.reader", str(os.getpid()), stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )

    told, _ = await process.communicate(encode_job(Job("message/rfc822", "a.eml", STRICT)) + content)

    assert told[4:] == b'{"reason":"damaged","error":"RecursionError"}'
    assert await reason(content, "a.eml", STRICT) == "damaged"


PAGE = {"number": 1, "total": 2, "text": "x", "language": None, "ocr": False, "skipped": False}


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([b"\xff\xff\xff\xff{}"], "too_much_text"),
        ([b"\0\0\0\x05hello"], "damaged"),
        ([b"\0\0\x10\0" + b"[" * 4_096], "damaged"),
        ([b"\0\0\0\x02[]"], "damaged"),
        ([b"\0\0\0\x02"], "damaged"),
        ([encode_frame({"reason": ["empty"]})], "damaged"),
        ([encode_frame({"reason": "no such reason", "error": "x"})], "damaged"),
        ([encode_frame(PAGE), encode_frame(PAGE)], "damaged"),
        ([encode_frame({**PAGE, "number": 3})], "damaged"),
        ([encode_frame({**PAGE, "total": 10**9})], "damaged"),
        ([encode_frame({**PAGE, "text": 5})], "damaged"),
        ([encode_frame({**PAGE, "text": "y" * 3_000})], "too_much_text"),
    ],
)
async def test_a_process_that_was_taken_over_by_its_file_cannot_deceive_us(frames: list[bytes], expected: str) -> None:
    code = f"import sys; sys.stdout.buffer.write({b''.join(frames)!r})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=PIPE, stdout=PIPE)

    with pytest.raises(Unreadable) as caught:
        async for _ in _Reader(process, Limits(max_pages=100, max_chars=2_000)).pages():
            pass

    assert caught.value.reason == expected
    await process.communicate()


async def test_random_bytes_under_any_name_are_refused_or_read() -> None:
    noise = random.Random(1).randbytes(20_000)

    for suffix in ("pdf", "docx", "eml", "html", "png", "txt", "xlsx", ""):
        assert await reason(noise, f"a.{suffix}", STRICT) == "unsupported"


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_file_cut_off_or_broken_anywhere_is_read_or_refused(name: str) -> None:
    content = SAMPLES[name]

    for part in (
        content[: len(content) // 2],
        content[:-20],
        broken(content, 1),
        broken(content, 2),
        broken(content, 3),
    ):
        assert await reason(part, name, STRICT) in {"", *REASONS}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
async def test_many_broken_files_are_read_or_refused(name: str) -> None:
    for seed in range(BROKEN):
        started = time.monotonic()
        assert await reason(broken(SAMPLES[name], seed), name, STRICT) in {"", *REASONS}
        assert time.monotonic() - started < STRICT.max_seconds


def test_the_samples_are_sound() -> None:
    assert all(zipfile.is_zipfile(io.BytesIO(SAMPLES[name])) for name in ("a.docx", "a.odt", "a.xlsx", "a.epub"))
