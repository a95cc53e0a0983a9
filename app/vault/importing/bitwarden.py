"""Exports of Bitwarden and Vaultwarden: JSON, plain or protected by a password, and ZIP with attachments."""

import hashlib
import hmac
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

import orjson
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from app.vault.archive.bitwarden import BOOLEAN, CARD, IDENTITY, LOGIN, NOTE, stretched
from app.vault.importing.entries import Entry, ImportProblem, Past, RefusedEntry, SourceFile, parsed_time
from app.vault.importing.records import Draft, clean

PBKDF2, ARGON2ID = 0, 1
MOST_ROUNDS: Final = 2_000_000  # Bitwarden's own limits: two million rounds of PBKDF2, ten of Argon2id
MOST_PASSES, MOST_MEMORY_MIB, MOST_LANES = 10, 512, 16
SSH_KEY: Final = 5
OBJECTS: Final = {LOGIN: "login", NOTE: "secureNote", CARD: "card", IDENTITY: "identity", SSH_KEY: "sshKey"}
IDENTITY_NAMES: Final = ("title", "firstName", "middleName", "lastName")
IDENTITY_PLACES: Final = ("address1", "address2", "address3", "postalCode", "city", "state", "country")
CARD_FIELDS: Final = {"cardholderName": "holder", "brand": "brand", "number": "number", "code": "security_code"}
LABELS: Final = {
    "ssn": "Social security number",
    "passportNumber": "Passport number",
    "licenseNumber": "Licence number",
    "company": "Company",
    "username": "User name",
}


def opened(document: Any, password: str | None) -> Mapping[str, Any]:
    """The plain document. Raises `ImportProblem`; a password takes the time that it was made to take."""
    if not isinstance(document, dict):
        raise ImportProblem("not-understood", "The file is not an export of Bitwarden.")
    if document.get("encrypted") is not True:
        if not isinstance(document.get("items"), list):
            raise ImportProblem("not-understood", "The file is not an export of Bitwarden: it has no items.")
        return document
    if document.get("passwordProtected") is not True:
        raise ImportProblem("account-encrypted", "Only the account that made it can open it. Export with a password.")
    if not password:
        raise ImportProblem("password-needed", "The export is protected: send its password along.")
    return _decrypted(document, password)


def _decrypted(document: Mapping[str, Any], password: str) -> Mapping[str, Any]:
    try:
        encryption, authentication = stretched(_derived(document, password))
        _opened_string(encryption, authentication, str(document["encKeyValidation_DO_NOT_EDIT"]))
    except (KeyError, ValueError, TypeError, OverflowError):
        raise ImportProblem("damaged", "The export is damaged or incomplete.") from None
    try:
        plain = orjson.loads(_opened_string(encryption, authentication, str(document["data"])))
        return opened(plain, None)
    except (KeyError, ValueError):
        raise ImportProblem("damaged", "The export is damaged or incomplete.") from None


def _derived(document: Mapping[str, Any], password: str) -> bytes:
    salt, rounds = str(document["salt"]).encode(), int(document["kdfIterations"])
    if document["kdfType"] == PBKDF2 and 0 < rounds <= MOST_ROUNDS:
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    memory, lanes = int(document.get("kdfMemory") or 0), int(document.get("kdfParallelism") or 0)
    fair = 0 < rounds <= MOST_PASSES and 0 < memory <= MOST_MEMORY_MIB and 0 < lanes <= MOST_LANES
    if document["kdfType"] != ARGON2ID or not fair:
        raise ImportProblem("too-expensive", "Its password is protected in a way that is not known, or costs too much.")
    digest = hashlib.sha256(salt).digest()
    return hash_secret_raw(password.encode(), digest, rounds, memory * 1024, lanes, 32, Type.ID)


def _opened_string(encryption: bytes, authentication: bytes, text: str) -> bytes:
    """A cipher string of type 2. Raises `ImportProblem` for a wrong key, `ValueError` for one that is none."""
    kind, _, parts = text.partition(".")
    vector, sealed, mac = (b64decode(part, validate=True) for part in parts.split("|"))
    if kind != "2" or not hmac.compare_digest(hmac.digest(authentication, vector + sealed, "sha256"), mac):
        raise ImportProblem("password-wrong", "The password is wrong, or the export was changed.")
    decryptor, unpadder = Cipher(algorithms.AES256(encryption), modes.CBC(vector)).decryptor(), PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()


def entries(document: Mapping[str, Any], files: Mapping[str, list[SourceFile]] | None = None) -> list[Entry]:
    """The records of a plain document; `files` are the attachments by the id of their record."""
    names = (each for key in ("folders", "collections") for each in document.get(key) or [])
    folders = {each.get("id"): each.get("name") for each in names if isinstance(each, dict)}
    return [_entry(item, folders, files or {}) for item in document["items"]]


def _entry(item: Any, folders: Mapping[Any, Any], files: Mapping[str, list[SourceFile]]) -> Entry:
    try:
        return _item(item, folders, files)
    except (AttributeError, KeyError, TypeError, ValueError):
        title = clean(item.get("name")) if isinstance(item, dict) else ""
        return RefusedEntry(title[:200], "malformed", "The entry is not built as Bitwarden builds its entries.")


def _item(item: Mapping[str, Any], folders: Mapping[Any, Any], files: Mapping[str, list[SourceFile]]) -> Entry:
    kind = item["type"]
    record_type = {LOGIN: "login", CARD: "card", IDENTITY: "contact", SSH_KEY: "ssh_key"}.get(kind, "secure_note")
    draft = Draft(record_type, item.get("name"), item.get("notes"))
    about = item.get(OBJECTS.get(kind, "")) or {}
    {LOGIN: _login, CARD: _card, IDENTITY: _identity, SSH_KEY: _key}.get(kind, _others)(
        draft, about if kind in OBJECTS else item
    )
    for field in item.get("fields") or []:
        value = field.get("value")
        draft.custom(field.get("name"), value == "true" if field.get("type") == BOOLEAN else value)
    folder_ids = [item.get("folderId"), *(item.get("collectionIds") or [])]
    draft.tag(*(folders[each] for each in folder_ids if each in folders))
    history = _history(draft, item.get("passwordHistory") or [])
    return draft.entry(
        files=tuple(files.get(str(item.get("id")), ())),
        history=history,
        revision=len(history) + 1,
        created_at=parsed_time(item.get("creationDate")),
        updated_at=parsed_time(item.get("revisionDate")),
        trashed=bool(item.get("deletedDate")),
        favourite=bool(item.get("favorite")),
    )


def _login(draft: Draft, login: Mapping[str, Any]) -> None:
    for name in ("username", "password", "totp"):
        draft.put(name, login.get(name))
    for uri in login.get("uris") or []:
        draft.put("url", uri.get("uri"))
    for passkey in login.get("fido2Credentials") or []:
        draft.custom("Passkey", orjson.dumps(passkey).decode())


def _card(draft: Draft, card: Mapping[str, Any]) -> None:
    for theirs, ours in CARD_FIELDS.items():
        draft.put(ours, card.get(theirs))
    month, year = str(card.get("expMonth") or ""), str(card.get("expYear") or "")
    if month or year:
        draft.put("valid_until", f"{year}-{month:0>2}" if month and year else month or year)


def _identity(draft: Draft, identity: Mapping[str, Any]) -> None:
    draft.put("full_name", " ".join(clean(identity.get(name)) for name in IDENTITY_NAMES if identity.get(name)))
    for name in ("email", "phone"):
        draft.put(name, identity.get(name))
    draft.put("address", "\n".join(clean(identity.get(name)) for name in IDENTITY_PLACES if identity.get(name)))
    _others(draft, {name: value for name, value in identity.items() if name in LABELS})


def _key(draft: Draft, key: Mapping[str, Any]) -> None:
    for theirs, ours in {
        "privateKey": "private_key",
        "publicKey": "public_key",
        "keyFingerprint": "fingerprint",
    }.items():
        draft.put(ours, key.get(theirs))


def _others(draft: Draft, about: Mapping[str, Any]) -> None:
    """Kinds that have no type of ours: what they say, as custom fields."""
    known = {"id", "type", "name", "notes", "fields", "folderId", "collectionIds", "favorite", "reprompt", "key"}
    dates = {"creationDate", "revisionDate", "deletedDate", "archivedDate", "passwordHistory", "organizationId"}
    for name, value in about.items():
        if isinstance(value, dict):
            _others(draft, value)
        elif name not in known | dates and isinstance(value, str):
            draft.custom(LABELS.get(name, name), value)


def _history(draft: Draft, passwords: list[Any]) -> tuple[Past, ...]:
    """A version for each earlier password, the oldest first."""
    dated = [(parsed_time(each["lastUsedDate"]), clean(each["password"])) for each in passwords]
    known = sorted((at, password) for at, password in dated if at and password)
    now = draft.content()
    return tuple(
        Past(number, at, {**now, "fields": {**now["fields"], "password": password}})
        for number, (at, password) in enumerate(known, start=1)
        if draft.kind.name == "login"
    )
