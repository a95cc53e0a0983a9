"""The page that lists an export, and the text that explains it; both need nothing but a browser, and no network."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final
from urllib.parse import quote

from app.vault.types import record_types

README: Final = """LifeVault export
================

Open index.html in a browser: it lists everything in this archive and works offline.

Each vault has a folder with its documents as plain files. Earlier versions of a file lie in the folder "Earlier
versions" beside it; what was in the trash lies in "Trash".

lifevault.json   every record with its fields, notes, tags and history, and what is known of every document (UTF-8)
manifest.json    the SHA-256 digest of every other file; check it with: sha256sum, shasum -a 256 or certutil -hashfile

Everything here is readable by whoever has these files: keep them in a safe place, or delete them after use.
LifeVault reads this archive back: POST /v1/vault/imports.
"""

SEALED: Final = """
The folder "sealed" holds sealed vaults as your clients sealed them: we can't open them, and neither can whoever finds
this file. Open them with your password, without a server: lifevault sealed open FOLDER
"""

HEAD: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>LifeVault export</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
h2 { border-bottom: 1px solid #ccc; margin-top: 2.5rem; } details { margin: .3rem 0; } summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0 1rem 1.2rem; }
dt { color: #666; } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; } small { color: #666; }
</style></head><body>
<h1>LifeVault export</h1>
"""
FOOT: Final = "</body></html>\n"


def vault_begins(vault: Mapping[str, Any]) -> str:
    """The heading of a vault."""
    return f"<h2>{escape(vault['name'])}</h2>\n"


def shown_item(item: Mapping[str, Any]) -> str:
    """A record, folded together, with its history."""
    label = record_types()[item["type"]].label if item["type"] in record_types() else item["type"]
    marks = _marks(item)
    history = "".join(_version(item["type"], version) for version in item["history"])
    earlier = f"<details><summary>History ({len(item['history'])})</summary>{history}</details>" if history else ""
    return (
        f"<details><summary><b>{escape(item['title'])}</b> <small>{escape(label)}{marks}</small></summary>"
        f"{_fields(item['type'], item)}{earlier}</details>\n"
    )


def _version(type_name: str, version: Mapping[str, Any]) -> str:
    when = escape(str(version["written_at"])[:16].replace("T", " "))
    return f"<p><small>{when}</small> {escape(version['title'])}</p>{_fields(type_name, version)}"


def _fields(type_name: str, content: Mapping[str, Any]) -> str:
    known = record_types().get(type_name)
    labels = {field.name: field.label for field in known.fields} if known else {}
    pairs = [(labels.get(name, name), _text(value)) for name, value in content["fields"].items()]
    pairs += [("Notes", content["notes"])] if content["notes"] else []
    pairs += [("Tags", ", ".join(content["tags"]))] if content["tags"] else []
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs) + "</dl>"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value.get('amount', '')} {value.get('currency', '')}".strip()
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _marks(thing: Mapping[str, Any]) -> str:
    return " · in the trash" if thing["trashed_at"] else ""


def shown_document(document: Mapping[str, Any]) -> Iterator[str]:
    """A document with links to its files."""
    current, *earlier = sorted(document["versions"], key=lambda version: -version["number"])
    tags = f" · {', '.join(document['tags'])}" if document["tags"] else ""
    yield f"<p>{_link(document['title'], current)} <small>{escape(tags)}{_marks(document)}</small>"
    for version in earlier:
        yield f"<br><small>version {version['number']}: {_link(version['name'], version)}</small>"
    yield "</p>\n"


def _link(words: str, version: Mapping[str, Any]) -> str:
    damaged = " (damaged in our store: incomplete)" if version["damaged"] else ""
    return f'<a href="{escape(quote(version["path"]))}">{escape(words)}</a>{damaged}'
