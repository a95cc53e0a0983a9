"""Files as other programs export them, made of invented data."""

import base64
import csv
import hashlib
import hmac
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import orjson
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.padding import PKCS7

from app.vault.importing.entries import Entry, ItemEntry, Parsed
from app.vault.importing.opening import Asked, Limits, parse

MIB = 1024 * 1024
SAMPLES = Path(__file__).parent / "samples"
LIMITS = Limits(text_bytes=16 * MIB, unpacked_bytes=64 * MIB, entries=1_000)


def sample(name: str) -> bytes:
    """A file that the official command line client of Bitwarden has written; the password is `export pass`."""
    return (SAMPLES / name).read_bytes()


def read(content: bytes, limits: Limits = LIMITS, **asked: Any) -> Parsed:
    return parse(io.BytesIO(content), Asked(**asked), limits)


def records(content: bytes, **asked: Any) -> dict[str, ItemEntry]:
    """The records of a file by their titles."""
    return {entry.title: entry for entry in read(content, **asked).entries if isinstance(entry, ItemEntry)}


def first(content: bytes, **asked: Any) -> Entry:
    return read(content, **asked).entries[0]


def archive(members: dict[str, bytes | str | dict[str, Any]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", compression) as packed:
        for name, content in members.items():
            packed.writestr(name, orjson.dumps(content) if isinstance(content, dict) else content)
    return output.getvalue()


def table(*rows: list[str], delimiter: str = ",") -> bytes:
    output = io.StringIO()
    csv.writer(output, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    return output.getvalue().encode()


def with_argon2(document: dict[str, Any], password: str, *, memory: int = 16, passes: int = 2, lanes: int = 1) -> bytes:
    """An export of Bitwarden that is protected with Argon2id, as its clients do it."""
    salt = base64.b64encode(os.urandom(16)).decode()
    digest = hashlib.sha256(salt.encode()).digest()
    key = hash_secret_raw(password.encode(), digest, passes, memory * 1024, lanes, 32, Type.ID)
    encryption, authentication = (HKDFExpand(SHA256(), 32, info).derive(key) for info in (b"enc", b"mac"))

    def cipher_string(plaintext: bytes) -> str:
        vector, padder = os.urandom(16), PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES256(encryption), modes.CBC(vector)).encryptor()
        sealed = encryptor.update(padder.update(plaintext) + padder.finalize())
        parts = vector, sealed, hmac.digest(authentication, vector + sealed, "sha256")
        return "2." + "|".join(base64.b64encode(part).decode() for part in parts)

    return orjson.dumps(
        {
            "encrypted": True,
            "passwordProtected": True,
            "salt": salt,
            "kdfType": 1,
            "kdfIterations": passes,
            "kdfMemory": memory,
            "kdfParallelism": lanes,
            "encKeyValidation_DO_NOT_EDIT": cipher_string(b"check"),
            "data": cipher_string(orjson.dumps(document)),
        }
    )


def onepassword() -> bytes:
    """A 1PUX with records of several categories, a document and an attachment."""

    def field(name: str, kind: str, value: Any, title: str = "") -> dict[str, Any]:
        return {"id": name, "title": title or name, "value": {kind: value}}

    def item(category: str, title: str, *fields: dict[str, Any], **details: Any) -> dict[str, Any]:
        overview = {"title": title, "tags": details.pop("tags", []), "urls": details.pop("urls", [])}
        sections = [{"title": "", "name": "s", "fields": list(fields)}]
        common = {"uuid": title, "createdAt": 1_600_000_000, "updatedAt": 1_700_000_000}
        state = details.pop("state", "active")
        details = {"notesPlain": details.pop("notes", ""), "sections": sections, **details}
        return {**common, "state": state, "categoryUuid": category, "overview": overview, "details": details}

    login_fields = [
        {"value": "ann", "id": "u", "name": "username", "fieldType": "T", "designation": "username"},
        {"value": "new secret", "id": "p", "name": "password", "fieldType": "P", "designation": "password"},
        {"value": "blue", "id": "c", "name": "colour", "fieldType": "T"},
    ]
    login = item(
        "001",
        "Mail",
        field("TOTP_1", "totp", "JBSWY3DPEHPK3PXP"),
        field("PIN", "concealed", "1234", "Telephone PIN"),
        field("f", "file", {"fileName": "letter.txt", "documentId": "doc1", "decryptedSize": 6}),
        loginFields=login_fields,
        tags=["work"],
        urls=[{"label": "", "url": "https://mail.example"}, {"label": "", "url": "https://other.example"}],
        passwordHistory=[{"value": "old secret", "time": 1_650_000_000}],
        notes="A note",
    )
    card = item(
        "002",
        "Visa",
        field("cardholder", "string", "A Lee"),
        field("ccnum", "creditCardNumber", "4111111111111111"),
        field("expiry", "monthYear", 203012),
        field("cvv", "concealed", "123"),
    )
    passport = item(
        "106",
        "Passport",
        field("number", "string", "X1"),
        field("fullname", "string", "Ann Lee"),
        field("birthdate", "date", 946_728_000),
        field("expiry_date", "date", 1_900_000_000),
        state="archived",
    )
    attributes = {"fileName": "scan.pdf", "documentId": "doc2", "decryptedSize": 8}
    document = item("006", "A scan", documentAttributes=attributes)
    server = item("110", "Server", field("url", "string", "10.0.0.1"), field("username", "string", "root"))
    vault = {"attrs": {"uuid": "v", "name": "Private"}, "items": [login, card, passport, document, server]}
    return archive(
        {
            "export.attributes": {"version": 3},
            "export.data": {"accounts": [{"attrs": {"name": "Ann"}, "vaults": [vault]}]},
            "files/doc1__letter.txt": "letter",
            "files/doc2__scan.pdf": b"%PDF-1.4",
        }
    )
