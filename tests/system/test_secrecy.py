"""Nothing that a person writes can be found in anything that is kept, sent or logged."""

import base64
import io
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli.embedded.binaries import postgres_programs
from app.cli.embedded.files import read_json
from app.cli.embedded.secrets import load_or_create_secrets
from tests.stack import Person, Stack, upload, wait_for_job
from tests.system.test_main_job import pdf

pytestmark = pytest.mark.slow

MARK = "zqxjvwkyq"
"""What every marker begins with: where none of its spellings stands, no marker has to be looked for."""


def marker(number: int) -> str:
    """A word that stands nowhere else; letters only, so that no parser or stemmer changes it on the way."""
    return MARK + "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}") + "vwkj"


def spellings(word: str) -> list[bytes]:
    """The word as it might be found: plain, UTF-16, hexadecimal, base64 at any of its three alignments."""
    plain = word.encode()
    found = [plain, plain.upper(), plain.capitalize()]
    for raw in (plain, word.encode("utf-16-le"), word.encode("utf-16-be")):
        found += [raw, raw.hex().encode(), raw.hex().upper().encode()]
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw)
            cut = encoded[4 if shift else 0 : -4]
            found += [cut, cut.replace(b"+", b"-").replace(b"/", b"_")]
    return found


def docx(text: str) -> bytes:
    output = io.BytesIO()
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    main_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main_type}"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r" Type="{office}" Target="word/document.xml"/></Relationships>',
        )
        body = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>"
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{word}">{body}</w:document>')
    return output.getvalue()


def plant(stack: Stack) -> list[str]:
    """Write a marker into everything that can be written; returns the markers."""
    words = iter(marker(number) for number in range(1000))
    planted: list[str] = []

    def word() -> str:
        planted.append(next(words))
        return planted[-1]

    person = stack.person()
    client = person.client
    client.patch("/v1/auth/me", json={"name": word()}).raise_for_status()
    guest = f"{word()}@family.example"
    vault = client.post("/v1/vault/vaults", json={"name": word(), "kind": "family", "tier": "assisted"}).json()
    client.post(
        f"/v1/vault/vaults/{vault['id']}/invitations", json={"email": guest, "role": "viewer"}
    ).raise_for_status()
    item = {
        "vault_id": vault["id"],
        "type": "secure_note",
        "title": word(),
        "notes": word(),
        "tags": [word()],
        "fields": {},
    }
    created = client.post("/v1/vault/items", json=item).raise_for_status()
    plant_records(client, item, created.json()["id"], word)
    path, etag = f"/v1/vault/items/{created.json()['id']}", created.headers["etag"]
    client.patch(path, json={"title": word(), "notes": word()}, headers={"If-Match": etag}).raise_for_status()
    files = [
        (f"{word()}.pdf", pdf([[word()], [f"The {word()} expires on 4 May 2027."]])),
        (f"{word()}.txt", f"About {word()}.\n".encode()),
        (f"{word()}.txt", f"About {word()}.\n".encode("utf-16")),
        (f"{word()}.docx", docx(word())),
        (f"{word()}.html", f"<html><title>{word()}</title><body><p>{word()}</p></body></html>".encode()),
        (f"{word()}.eml", f"From: a@b.example\nTo: c@d.example\nSubject: {word()}\n\nDear {word()}.\n".encode()),
        (f"{word()}.pdf", b"%PDF-1.4 cut off " + word().encode()),
    ]
    for name, content in files:
        wait_for_job(person, upload(person, name, content)["job_id"])
    plant_transfers(person, word)
    for question in (f"When does the {planted[-12]} expire?", f"Who is {word()}?"):
        client.post("/v1/rag/ask", json={"question": question}).raise_for_status()
        client.post("/v1/rag/search", json={"query": question}).raise_for_status()
    for wrong in ({"email": word(), "password": word(), "name": 1}, {word(): word()}):
        assert client.post("/v1/auth/register", json=wrong).status_code == 422
    client.get(f"/v1/vault/items?vault_id={word()}")
    client.get(f"/v1/{word()}")
    return planted


def plant_records(client: httpx.Client, item: dict[str, Any], item_id: str, word: Callable[[], str]) -> None:
    """Write markers into a type of one's own, a link, a share; search for them, and move them to another vault."""
    fields = [{"name": word(), "label": word(), "type": "choice", "choices": [word()]}]
    own = {"vault_id": item["vault_id"], "label": word(), "description": word(), "fields": fields}
    kind = client.post("/v1/vault/types", json=own).raise_for_status().json()["name"]
    other = client.post("/v1/vault/items", json={**item, "type": kind, "title": word()}).raise_for_status().json()["id"]
    ends = {"source": {"item_id": item_id}, "target": {"item_id": other}, "label": word()}
    client.post("/v1/vault/links", json=ends).raise_for_status()
    share = {"subject": {"item_id": item_id}, "name": word(), "password": word()}
    token = client.post("/v1/vault/shares", json=share).raise_for_status().json()["token"]
    opened = {"token": token, "password": share["password"]}
    client.post("/v1/vault/shared/open", json=opened, headers={"User-Agent": word()}).raise_for_status()
    found = client.post("/v1/vault/search", json={"query": item["title"]}).raise_for_status().json()
    assert found["total"] == 1
    target = client.post("/v1/vault/vaults", json={"name": word()}).raise_for_status().json()["id"]
    client.post(f"/v1/vault/items/{other}/move", json={"vault_id": target}).raise_for_status()


def plant_transfers(person: Person, word: Callable[[], str]) -> None:
    """An upload that goes on and one that is done, a preview, imports that go well and that do not, exports."""
    client = person.client
    vault_id = client.post("/v1/vault/vaults", json={"name": word()}).raise_for_status().json()["id"]
    for length in (200, 100):
        said = {"vault_id": vault_id, "filename": f"{word()}.txt", "title": word(), "tags": word(), "other": word()}
        pairs = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": pairs}
        url = client.post("/v1/vault/uploads", headers=tus).raise_for_status().headers["Location"]
        stream = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", "Tus-Resumable": "1.0.0"}
        client.patch(url, content=word().encode().ljust(100), headers=stream).raise_for_status()
    shown = upload(person, "scan.pdf", pdf([[word()]]))
    client.get(f"/v1/rag/documents/{shown['id']}/pages/1/preview").raise_for_status()
    table = f"name,url,username,password,note\n{word()},https://{word()}.example,{word()},{word()},{word()}\n"
    for content, password in ((table, word()), (f"{word()},{word()}", word())):
        form = {"vault_id": vault_id, "password": password}
        files = {"file": (f"{word()}.csv", content.encode())}
        wait_for_job(
            person, client.post("/v1/vault/imports", data=form, files=files).raise_for_status().json()["job_id"]
        )
    for body in ({}, {"protection": {"passphrase": word()}}, {"format": "bitwarden"}):
        exported = client.post("/v1/vault/exports", json=body).raise_for_status()
        wait_for_job(person, exported.json()["job_id"])
        client.get(f"{exported.headers['Location']}/content").raise_for_status()


def dump(stack: Stack) -> bytes:
    secrets = load_or_create_secrets(stack.folder)
    port = read_json(stack.folder / "ports.json")["postgres"]
    url = f"postgresql://postgres:{secrets.postgres.superuser}@127.0.0.1:{port}/lifevault"
    program = postgres_programs(None) / "pg_dump"
    return subprocess.run([program, "--dbname", url], check=True, capture_output=True).stdout


def found_in(content: bytes, words: list[str]) -> list[str]:
    if not any(spelling in content for spelling in spellings(MARK)):
        return []
    return [word for word in words if any(spelling in content for spelling in spellings(word))]


def test_no_planted_word_is_found_in_anything_that_is_kept(stack: Stack):
    before = set(Path(tempfile.gettempdir()).iterdir())
    words = plant(stack)

    dumped = dump(stack)
    assert b"COPY public.vault_items" in dumped
    findings = {"pg_dump": found_in(dumped, words)}
    own_temp = [path for path in Path(tempfile.gettempdir()).iterdir() if path not in before]
    for folder in [stack.folder, stack.folder.parent / "up.log", *own_temp]:
        for path in [folder] if folder.is_file() else folder.rglob("*"):
            if path.is_file():
                try:
                    content = path.read_bytes()
                except (FileNotFoundError, PermissionError):
                    continue
                findings[str(path)] = found_in(content + path.name.encode(), words)

    assert len(words) > 25
    assert {place: found for place, found in findings.items() if found} == {}


def test_the_search_for_planted_words_would_find_them():
    word = marker(7)

    for content in (word, word.encode("utf-16-le"), base64.b64encode(f"a {word} b".encode()), word.encode().hex()):
        raw = content if isinstance(content, bytes) else content.encode()
        assert found_in(b"before " + raw + b" after", [word]) == [word]
