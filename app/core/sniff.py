"""What a file is, told from its first bytes; a name only tells flavours of the same bytes apart."""

import re
import struct
import zlib
from collections.abc import Iterator
from os.path import splitext
from typing import Final

HEAD_BYTES: Final = 8192
UNKNOWN: Final = "application/octet-stream"
PDF: Final = "application/pdf"
ZIP: Final = "application/zip"
OLE: Final = "application/x-ole-storage"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
EMAIL: Final = "message/rfc822"

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"ID3\x03", "audio/mpeg"),
    (b"ID3\x04", "audio/mpeg"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = (
    (frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}), "image/heic"),
    (frozenset({b"avif", b"avis"}), "image/avif"),
    (frozenset({b"mif1", b"msf1"}), "image/heif"),
    (frozenset({b"qt  "}), "video/quicktime"),
    (frozenset({b"M4A ", b"M4B "}), "audio/mp4"),
)
_OFFICE_MARKS: Final = (
    (b"wordprocessingml.document.main", DOCX),
    (b"wordprocessingml.template.main", DOCX),
    (b"ms-word.document.macroenabled", "application/vnd.ms-word.document.macroenabled.12"),
    (b"spreadsheetml.sheet.main", XLSX),
    (b"ms-excel.sheet.macroenabled", "application/vnd.ms-excel.sheet.macroenabled.12"),
    (b"presentationml.presentation.main", PPTX),
    (b"presentationml.slideshow.main", PPTX),
    (b"ms-powerpoint.presentation.macroenabled", "application/vnd.ms-powerpoint.presentation.macroenabled.12"),
    (b"word/document", DOCX),
    (b"xl/workbook", XLSX),
    (b"ppt/presentation", PPTX),
)
_OFFICE_PARTS: Final = (b"[Content_Types].xml", b"_rels/.rels")
_OLE_STREAMS: Final = (
    ("EncryptedPackage", OLE),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
)
_OLE_NAMES: Final = {
    ".doc": "application/msword",
    ".msg": "application/vnd.ms-outlook",
    ".ppt": "application/vnd.ms-powerpoint",
    ".xls": "application/vnd.ms-excel",
}
_ZIP_NAMES: Final = {".docx": DOCX, ".xlsx": XLSX, ".pptx": PPTX}
_TEXT_NAMES: Final = {
    ".csv": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
    ".ics": "text/calendar",
    ".json": "application/json",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".tsv": "text/tab-separated-values",
    ".vcf": "text/vcard",
    ".xml": "application/xml",
}
_PLAIN_NAMES: Final = frozenset({".txt", ".md", ".markdown", ".csv", ".tsv", ".log"})
_PDF: Final = re.compile(rb"^%PDF-\d", re.M)
_HTML: Final = re.compile(rb"(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta)\b", re.I | re.S)
_SVG: Final = re.compile(rb"<svg[\s>]", re.I)
_MAIL_HEADER: Final = re.compile(rb"(?:[A-Za-z][\w-]*:[^\n]*\n(?:[ \t][^\n]*\n)*)", re.I)
_MAIL_TRACE: Final = re.compile(rb"^(?:received|return-path|message-id|mime-version):", re.I | re.M)
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x1b")


def sniff(head: bytes, name: str | None = None) -> str:
    """The media type of a file that starts with `head` (`HEAD_BYTES` are enough).

    `name` chooses between flavours of text (Markdown, CSV) and of a container that `head` already proved; it never
    overrules the content. What is not recognised is `application/octet-stream`; no bytes at all are `text/plain`.
    """
    head = head[:HEAD_BYTES]
    suffix = splitext(name or "")[1].lower()
    return _binary(head, suffix) or _text(head, suffix) or UNKNOWN


def _binary(head: bytes, suffix: str) -> str | None:
    if _PDF.search(head, 0, 1024):
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _zip(head, suffix)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _ole(head, suffix)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    return next((media_type for magic, media_type in _MAGIC if head.startswith(magic)), None)


def _zip(head: bytes, suffix: str) -> str:
    """Packages name themselves: OpenDocument and EPUB in an entry `mimetype`, Office in its parts."""
    for name, data in _zip_entries(head):
        if name == b"mimetype":
            declared = re.match(rb"application/[\w.+-]{1,100}", data)
            return declared.group().decode() if declared else ZIP
        told = _inflate(data).lower() if name in _OFFICE_PARTS else name
        office = next((media_type for mark, media_type in _OFFICE_MARKS if mark in told), None)
        if office:
            return office
    return _ZIP_NAMES.get(suffix, ZIP) if _OFFICE_PARTS[0] in head else ZIP


def _zip_entries(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and packed data, as far as they lie in the head, of each entry (local file headers, APPNOTE 4.3.7)."""
    start = 0
    while start >= 0:
        size, _, name_size, extra_size = struct.unpack_from("<IIHH", head.ljust(start + 30, b"\0"), start + 18)
        name_end = start + 30 + name_size
        data_start = name_end + extra_size
        yield head[start + 30 : name_end], head[data_start : data_start + size if size else None]
        start = head.find(b"PK\x03\x04", start + 4)


def _inflate(data: bytes) -> bytes:
    """What the packed data begins with; nothing if it is not packed by Deflate."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, 16 * HEAD_BYTES)
    except zlib.error:
        return b""


def _ole(head: bytes, suffix: str) -> str:
    """Names of streams stand in the directory; when it lies behind the head, the name has to tell."""
    for stream, media_type in _OLE_STREAMS:
        if stream.encode("utf-16-le") in head:
            return media_type
    return _OLE_NAMES.get(suffix, OLE)


def _iso_media(head: bytes) -> str:
    """The brands of an ISO base media file (ISO/IEC 14496-12): a HEIC photo, a video, a recording."""
    size = int.from_bytes(head[:4], "big")
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(size, 256), 4))}
    return next((media_type for known, media_type in _BRANDS if brands & known), "video/mp4")


def _text(head: bytes, suffix: str) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _TEXT_NAMES.get(suffix, "text/plain")
    if not _CONTROL.isdisjoint(head):
        return None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _MAIL_HEADER.match(start) and suffix not in _PLAIN_NAMES and (suffix == ".eml" or _MAIL_TRACE.search(start)):
        return EMAIL
    if _HTML.match(start):
        return "text/html"
    if start.startswith(b"<?xml") or _SVG.match(start):
        return _xml(start)
    if start.startswith((b"BEGIN:VCALENDAR", b"BEGIN:VCARD")):
        return "text/calendar" if start.startswith(b"BEGIN:VCAL") else "text/vcard"
    return _TEXT_NAMES.get(suffix, "text/plain")


def _xml(start: bytes) -> str:
    if _SVG.search(start):
        return "image/svg+xml"
    return "application/xhtml+xml" if re.search(rb"<html\b", start, re.I) else "application/xml"
