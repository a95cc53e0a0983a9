"""Which program wrote a file, and what is in it."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

import orjson

from app.vault.importing import bitwarden, lifevault, onepux, tables
from app.vault.importing.entries import Entry, ImportProblem, Parsed, SourceFile

ENCRYPTED_BIT: Final = 1
MOST_MEMBERS: Final = 200_000
ATTACHMENT: Final = re.compile(r"attachments/([^/]+)/(.+)")
PLAIN: Final = {"onepux": "export.data", "lifevault": "lifevault.json", "bitwarden_zip": "data.json"}
BROKEN: Final = (BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
AGE: Final = b"age-encryption.org/"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a file may unpack to, and of how many entries it may be."""

    text_bytes: int
    unpacked_bytes: int
    entries: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person said of the file."""

    format: str = "auto"
    password: str | None = None
    mapping: Mapping[str, str] | None = None
    record_type: str = "login"


def parse(file: BinaryIO, asked: Asked, limits: Limits) -> Parsed:
    """What is in a file. Raises `ImportProblem`; takes processor time and, for text, memory within the limits."""
    head = file.read(64)
    file.seek(0)
    if head.startswith(AGE):
        raise ImportProblem("encrypted", "The file is encrypted with age: decrypt it first.")
    parsed = _archive(file, asked, limits) if head.startswith(b"PK") else _plain(file, asked, limits)
    if asked.format not in ("auto", parsed.format):
        raise ImportProblem("other-format", "The file is of another format than was said.")
    if len(parsed.entries) > limits.entries:
        raise ImportProblem("too-many-entries", "The file has more entries than can be imported at once.")
    return parsed


def _plain(file: BinaryIO, asked: Asked, limits: Limits) -> Parsed:
    content = file.read(limits.text_bytes + 1)
    if len(content) > limits.text_bytes:
        raise _too_large()
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        document = bitwarden.opened(_loaded(content.removeprefix(b"\xef\xbb\xbf")), asked.password)
        return Parsed("bitwarden_json", bitwarden.entries(document))
    return Parsed("csv", tables.entries(content, asked.mapping, asked.record_type, limits.entries))


def _archive(file: BinaryIO, asked: Asked, limits: Limits) -> Parsed:
    try:
        archive = open_archive(file, limits)
        names = archive.namelist()
        format_name = next((name for name, member in PLAIN.items() if member in names), None)
        if format_name is None:
            raise ImportProblem("not-understood", "The archive is not an export of a program that is known.")
        document = _loaded(_member(archive, PLAIN[format_name], limits))
    except BROKEN:
        raise ImportProblem(
            "damaged", "The archive is damaged, incomplete, or packed in a way that is not read."
        ) from None
    if format_name == "lifevault":
        return lifevault.parsed(document)
    return Parsed(format_name, _entries(format_name, document, names, asked))


def open_archive(file: BinaryIO, limits: Limits) -> ZipFile:
    """The archive, if it does not claim to unpack to more than it may. Raises `ImportProblem` and those of `BROKEN`.

    What an entry unpacks to beyond its claim is not read by Python's library.
    """
    archive = ZipFile(file)
    members = archive.infolist()
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > limits.unpacked_bytes:
        raise _too_large()
    if any(member.flag_bits & ENCRYPTED_BIT for member in members):
        raise ImportProblem("encrypted", "The archive is encrypted: unpack it, and pack it again without a password.")
    return archive


def _entries(format_name: str, document: Any, names: list[str], asked: Asked) -> list[Entry]:
    if format_name == "onepux":
        return onepux.entries(document, names)
    files = defaultdict[str, list[SourceFile]](list)
    for name in names:
        if found := ATTACHMENT.fullmatch(name):
            files[found[1]].append(SourceFile(PurePosixPath(found[2]).name, name))
    return bitwarden.entries(bitwarden.opened(document, asked.password), files)


def _member(archive: ZipFile, name: str, limits: Limits) -> bytes:
    info: ZipInfo = archive.getinfo(name)
    if info.file_size > limits.text_bytes:
        raise _too_large()
    with archive.open(info) as member:
        content = member.read(limits.text_bytes + 1)
    if len(content) > limits.text_bytes:
        raise _too_large()
    return content


def _loaded(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ImportProblem("damaged", "The file is damaged or incomplete: it is not valid JSON.") from None


def _too_large() -> ImportProblem:
    return ImportProblem("too-large", "The file unpacks to more than can be imported at once.")
