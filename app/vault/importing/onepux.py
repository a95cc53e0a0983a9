"""Exports of 1Password: 1PUX (https://support.1password.com/1pux-format)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from app.vault.importing.entries import (
    DocumentEntry,
    Entry,
    ImportProblem,
    Past,
    RefusedEntry,
    SourceFile,
    parsed_time,
)
from app.vault.importing.records import Draft, clean

ARCHIVED = "Archived"
DOCUMENT: Final = "006"
TYPES: Final = {
    "001": "login",
    "002": "card",
    "003": "secure_note",
    "004": "contact",
    "005": "login",
    "100": "software_licence",
    "101": "bank_account",
    "103": "driving_licence",
    "105": "membership",
    "106": "passport",
    "108": "social_security",
    "109": "wifi",
    "110": "login",
    "111": "login",
    "112": "login",
    "113": "medical_record",
    "114": "ssh_key",
    "115": "crypto_wallet",
}
FIELDS: Final[dict[str, dict[str, str]]] = {
    "card": {"cardholder": "holder", "type": "brand", "ccnum": "number", "cvv": "security_code", "pin": "pin"}
    | {"expiry": "valid_until", "bank": "issuer", "phonelocal": "block_phone"},
    "bank_account": {"bankname": "bank", "owner": "holder", "accountno": "account_number", "iban": "iban"}
    | {"swift": "bic", "routingno": "sort_code", "telephonepin": "pin", "branchphone": "phone"},
    "passport": {"number": "number", "fullname": "full_name", "nationality": "nationality", "birthdate": "born_on"}
    | {"birthplace": "place_of_birth", "sex": "sex", "issuing_authority": "issued_by", "issue_date": "issued_on"}
    | {"expiry_date": "expires_on"},
    "driving_licence": {"number": "number", "fullname": "full_name", "class": "categories", "country": "country"}
    | {"expiry_date": "expires_on"},
    "contact": {"email": "email", "defphone": "phone", "address": "address"},
    "software_licence": {"reg_code": "licence_key", "product_version": "version", "reg_name": "licensed_to"},
    "membership": {"org_name": "organisation", "membership_no": "number", "member_name": "holder"},
    "social_security": {"name": "full_name", "number": "number"},
    "wifi": {"network_name": "network", "wireless_password": "password", "password": "admin_password"},
    "ssh_key": {"private_key": "private_key"},
    "crypto_wallet": {"recoveryPhrase": "seed_phrase", "password": "passphrase", "walletAddress": "address"},
    "login": {"username": "username", "password": "password", "URL": "url", "url": "url", "credential": "password"},
}


def entries(document: Any, names: list[str]) -> list[Entry]:
    """The records and documents of `export.data`; `names` are the entries of the archive. Raises `ImportProblem`."""
    files = {PurePosixPath(name).name.partition("__")[0]: name for name in names if name.startswith("files/")}
    try:
        vaults = [vault for account in document["accounts"] for vault in account["vaults"]]
        listed = [(vault, item.get("item", item)) for vault in vaults for item in vault["items"]]
        several = len(vaults) > 1
        return [_entry(item, vault["attrs"]["name"] if several else "", files) for vault, item in listed]
    except (AttributeError, KeyError, TypeError):
        raise ImportProblem("not-understood", "The file is not an export of 1Password.") from None


def _entry(item: Any, vault_name: str, files: Mapping[str, str]) -> Entry:
    try:
        return _item(item, vault_name, files)
    except (AttributeError, KeyError, TypeError, ValueError):
        title = clean((item.get("overview") or {}).get("title")) if isinstance(item, dict) else ""
        return RefusedEntry(title[:200], "malformed", "The entry is not built as 1Password builds its entries.")


def _item(item: Mapping[str, Any], vault_name: str, files: Mapping[str, str]) -> Entry:
    overview, details, category = item["overview"], item["details"], item.get("categoryUuid")
    draft = Draft(TYPES.get(str(category), "secure_note"), overview.get("title"), details.get("notesPlain"))
    archived = ARCHIVED if item.get("state") == "archived" else ""
    draft.tag(vault_name, *(overview.get("tags") or []), archived)
    for field in details.get("loginFields") or []:
        _put_login_field(draft, field)
    urls = overview.get("urls") or ([{"url": overview["url"]}] if overview.get("url") else [])
    for url in urls:
        draft.put("url", url.get("url"))
    draft.put("password", details.get("password"))
    attached = list(_put_sections(draft, details, files))
    times: dict[str, Any] = {
        "created_at": parsed_time(item.get("createdAt")),
        "updated_at": parsed_time(item.get("updatedAt")),
    }
    file = details.get("documentAttributes")
    if file:
        attached.insert(0, _source(file, files))
    if category == DOCUMENT and len(attached) == 1 and not draft.fields and not draft.content()["notes"]:
        return DocumentEntry(draft.title, tuple(attached), tuple(draft.tags), **times)
    history = _history(draft, details.get("passwordHistory") or [])
    more = {"history": history, "revision": len(history) + 1, "favourite": bool(item.get("favIndex"))}
    return draft.entry(files=tuple(attached), **more, **times)


def _put_login_field(draft: Draft, field: Mapping[str, Any]) -> None:
    designation = field.get("designation")
    if designation in ("username", "password"):
        draft.put(designation, field.get("value"))
    elif field.get("value") not in (None, "", "✓"):
        draft.custom(field.get("name") or field.get("id"), field.get("value"))


def _put_sections(draft: Draft, details: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[SourceFile]:
    """Set fields from the sections; files among them are attachments."""
    first_names: list[str] = []
    for section in details.get("sections") or []:
        for field in section.get("fields") or []:
            kind, value = next(iter((field.get("value") or {}).items()), ("string", None))
            if kind == "file" and value:
                yield _source(value, files)
                continue
            name, text = FIELDS.get(draft.kind.name, {}).get(str(field.get("id"))), _text(kind, value)
            if draft.kind.name == "contact" and field.get("id") in ("firstname", "lastname"):
                first_names.append(text)
            elif kind == "totp" and draft.kind.name == "login":
                draft.put("totp", text)
            elif name:
                draft.put(name, text)
            else:
                draft.custom(field.get("title") or section.get("title") or field.get("id"), text)
    if first_names:
        draft.put("full_name", " ".join(first_names))


def _source(file: Mapping[str, Any], files: Mapping[str, str]) -> SourceFile:
    name = clean(file.get("fileName"))
    return SourceFile(name, files.get(str(file.get("documentId")), ""))


def _text(kind: str, value: Any) -> str:
    """A value as our fields hold it: dates as ISO 8601."""
    if value in (None, ""):
        return ""
    if kind == "date" and isinstance(value, int):
        return datetime.fromtimestamp(value, UTC).date().isoformat()
    if kind == "monthYear" and isinstance(value, int):
        return f"{value // 100:04}-{value % 100:02}"
    if isinstance(value, dict):
        nested = value.get("email_address") or value.get("privateKey")
        parts = [nested] if nested else [value[name] for name in sorted(value, key=_place) if value[name]]
        return "\n".join(clean(part) for part in parts if isinstance(part, str))
    return clean(value)


def _place(name: str) -> int:
    order = ("street", "zip", "city", "state", "country")
    return order.index(name) if name in order else len(order)


def _history(draft: Draft, passwords: list[Any]) -> tuple[Past, ...]:
    dated = ((parsed_time(each.get("time")), clean(each.get("value"))) for each in passwords)
    known = sorted((at, password) for at, password in dated if at and password)
    now = draft.content()
    return tuple(
        Past(number, at, {**now, "fields": {**now["fields"], "password": password}})
        for number, (at, password) in enumerate(known, start=1)
        if draft.kind.name == "login"
    )
