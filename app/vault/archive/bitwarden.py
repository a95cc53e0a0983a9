"""The JSON that Bitwarden exports and reads, plain or protected by a passphrase.

Its records are logins, notes, cards and identities; everything else goes as a note with fields. Cipher strings of type
2 are AES-256-CBC with HMAC-SHA-256 (Bitwarden Security Whitepaper, "encrypted export").
"""

import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.padding import PKCS7

LOGIN, NOTE, CARD, IDENTITY = 1, 2, 3, 4
TEXT, HIDDEN, BOOLEAN = 0, 1, 2
PBKDF2: Final = 0
ROUNDS: Final = 600_000  # OWASP Password Storage Cheat Sheet, and Bitwarden's own default
SECRETS: Final = frozenset({"pin", "security_code", "recovery_codes", "password", "totp"})
LOGIN_FIELDS: Final = ("username", "password", "totp", "url")
CARD_FIELDS: Final = {"holder": "cardholderName", "brand": "brand", "number": "number", "security_code": "code"}
IDENTITY_FIELDS: Final = {"email": "email", "phone": "phone", "address": "address1"}


def export(items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The document of these records, without those in the trash; the first tag is the folder."""
    kept = [item for item in items if not item["trashed_at"]]
    folders = {tag: str(uuid4()) for tag in sorted({item["tags"][0] for item in kept if item["tags"]})}
    return {
        "encrypted": False,
        "folders": [{"id": folder_id, "name": name} for name, folder_id in folders.items()],
        "items": [_item(item, folders) for item in kept],
    }


def _item(item: Mapping[str, Any], folders: Mapping[str, str]) -> dict[str, Any]:
    kind, taken, own = _own(item)
    rest = {name: value for name, value in item["fields"].items() if name not in taken}
    return {
        "id": str(item["id"]),
        "organizationId": None,
        "folderId": folders[item["tags"][0]] if item["tags"] else None,
        "type": kind,
        "reprompt": 0,
        "name": item["title"],
        "notes": item["notes"] or None,
        "favorite": item["favourite"],
        "fields": [_field(name, value) for name, value in rest.items()],
        "passwordHistory": _passwords(item) or None,
        "creationDate": _time(item["created_at"]),
        "revisionDate": _time(item["updated_at"]),
        "collectionIds": None,
        **own,
    }


def _own(item: Mapping[str, Any]) -> tuple[int, set[str], dict[str, Any]]:
    """The kind of a record, the fields that it has a place for, and that place."""
    fields = item["fields"]
    if item["type"] == "login":
        uris = [{"match": None, "uri": fields["url"]}] if "url" in fields else []
        login = {name: fields.get(name) for name in LOGIN_FIELDS[:3]}
        return LOGIN, set(LOGIN_FIELDS), {"login": {"uris": uris, "fido2Credentials": [], **login}}
    if item["type"] == "card":
        year, _, month = str(fields.get("valid_until", "")).partition("-")
        card = {theirs: fields.get(ours) for ours, theirs in CARD_FIELDS.items()}
        dates = {"expMonth": month.lstrip("0") or None, "expYear": year or None}
        return CARD, {*CARD_FIELDS, "valid_until"}, {"card": {**card, **dates}}
    if item["type"] == "contact":
        first, _, last = str(fields.get("full_name", "")).rpartition(" ")
        identity = {theirs: fields.get(ours) for ours, theirs in IDENTITY_FIELDS.items()}
        names = {"firstName": first or None, "lastName": last or None}
        return IDENTITY, {*IDENTITY_FIELDS, "full_name"}, {"identity": {**names, **identity}}
    return NOTE, set(), {"secureNote": {"type": 0}}


def _field(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"name": name, "value": str(value).lower(), "type": BOOLEAN, "linkedId": None}
    text = f"{value['amount']} {value['currency']}" if isinstance(value, dict) else str(value)
    return {"name": name, "value": text, "type": HIDDEN if name in SECRETS else TEXT, "linkedId": None}


def _passwords(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Passwords that were replaced, the latest first."""
    found, later = [], item["fields"].get("password")
    for version in reversed(item["history"]):
        password = version["fields"].get("password")
        if isinstance(password, str) and password != later:
            found.append({"lastUsedDate": _time(version["written_at"]), "password": password})
        later = password
    return found


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def protected(document: Mapping[str, Any], passphrase: str) -> dict[str, Any]:
    """The same, encrypted. Takes the time of 600,000 rounds of PBKDF2."""
    salt = b64encode(os.urandom(16)).decode()
    encryption, authentication = stretched(hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt.encode(), ROUNDS))
    return {
        "encrypted": True,
        "passwordProtected": True,
        "salt": salt,
        "kdfType": PBKDF2,
        "kdfIterations": ROUNDS,
        "encKeyValidation_DO_NOT_EDIT": _cipher_string(encryption, authentication, str(uuid4()).encode()),
        "data": _cipher_string(encryption, authentication, orjson.dumps(document)),
    }


def stretched(key: bytes) -> tuple[bytes, bytes]:
    """The keys for encryption and for authentication that come of a derived key."""
    return HKDFExpand(SHA256(), 32, b"enc").derive(key), HKDFExpand(SHA256(), 32, b"mac").derive(key)


def _cipher_string(encryption: bytes, authentication: bytes, plaintext: bytes) -> str:
    vector, padder = os.urandom(16), PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES256(encryption), modes.CBC(vector)).encryptor()
    sealed = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    mac = hmac.digest(authentication, vector + sealed, "sha256")
    return "2." + "|".join(b64encode(part).decode() for part in (vector, sealed, mac))
