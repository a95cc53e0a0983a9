"""What a file is, is told from its content; a name only chooses between flavours."""

import random
import time

import pytest

from app.core.sniff import DOCX, EMAIL, HEAD_BYTES, PDF, PPTX, UNKNOWN, XLSX, ZIP, sniff
from tests.rag.parsing_files import archive, docx, epub, mail, odt, pdf, picture, pptx, rtf, xlsx

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (pdf("a"), None, PDF),
        (b"\r\n\r\n" + pdf("a"), "a.txt", PDF),
        (docx("a"), "a.pdf", DOCX),
        (xlsx({"a": [["b"]]}), None, XLSX),
        (pptx("a"), None, PPTX),
        (archive({"word/document.xml": "<x/>", "[Content_Types].xml": "<x/>"}), None, DOCX),
        (odt("a"), "a.docx", "application/vnd.oasis.opendocument.text"),
        (epub("a"), None, "application/epub+zip"),
        (archive({"a.txt": "hello"}), "a.docx", ZIP),
        (rtf("a"), "a.doc", "application/rtf"),
        (OLE + "WordDocument".encode("utf-16-le"), None, "application/msword"),
        (OLE + "__properties_version1.0".encode("utf-16-le"), "a.doc", "application/vnd.ms-outlook"),
        (OLE, "a.xls", "application/vnd.ms-excel"),
        (OLE, "a.exe", "application/x-ole-storage"),
        (picture("a"), "a.jpg", "image/png"),
        (picture("a", "JPEG"), None, "image/jpeg"),
        (picture("a", "TIFF"), None, "image/tiff"),
        (picture("a", "GIF"), None, "image/gif"),
        (picture("a", "WEBP"), None, "image/webp"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.jpg", "image/heic"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", None, "video/mp4"),
        (mail("a"), None, EMAIL),
        (mail("a"), "a.txt", "text/plain"),
        (b"From: Ines\nSubject: x\n\nhello", "a.eml", EMAIL),
        (b"From: Ines\nthe one who called", None, "text/plain"),
        (b"no header at all", "a.eml", "text/plain"),
        (b"<!-- a --><!-- b -->\n<!DOCTYPE html><p>x", "a.txt", "text/html"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'>", None, "application/xhtml+xml"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "a.xml", "image/svg+xml"),
        (b"<?xml version='1.0'?><a/>", None, "application/xml"),
        ("Grüße".encode("utf-16"), "a.txt", "text/plain"),
        ("Grüße".encode("cp1252"), "a.md", "text/markdown"),
        (b"a;b\n1;2", "A.CSV", "text/csv"),
        (b"plain %PDF-1.7 in a sentence", "a.pdf", "text/plain"),
        (b"MZ is how an old friend signs", None, "text/plain"),
        (b"\x00\x01\x02", "a.txt", UNKNOWN),
        (b"", "a.pdf", "text/plain"),
    ],
)
def test_the_kind_of_a_file_is_told(content: bytes, name: str | None, media_type: str) -> None:
    assert sniff(content, name) == media_type
    assert sniff(content[:HEAD_BYTES], name) == media_type


@pytest.mark.parametrize("unit", [b"PK\x03\x04", b"<!---->", b"<!--", b"a:\n", b"a:\n b\n", b"%PDF-", b" ", b"\n%PD"])
def test_no_content_takes_long(unit: bytes) -> None:
    started = time.process_time()

    sniff(unit * HEAD_BYTES)

    assert time.process_time() - started < 0.1


def test_any_bytes_get_an_answer() -> None:
    chance = random.Random(7)
    starts = [b"", b"PK\x03\x04", OLE[:8], b"RIFF", b"\0\0\0\x20ftyp", b"<?xml", b"II*\0"]

    for round_ in range(2_000):
        assert "/" in sniff(starts[round_ % len(starts)] + chance.randbytes(chance.randrange(200)), "a.docx")
