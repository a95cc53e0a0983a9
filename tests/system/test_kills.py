"""Any process may be killed at any moment: what was acknowledged is there once, and everything comes back by itself.

Two people write records and documents; meanwhile the vault's data key is exchanged again and again, exports of another
program are imported, and files arrive in parts.
"""

import base64
import hashlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from app.cli.embedded.running import read_record
from tests.stack import Person, Stack, wait_for_job

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("LIFEVAULT_TEST_KILLS", "12"))  # the long run: LIFEVAULT_TEST_KILLS=100
SEED = int(os.environ.get("LIFEVAULT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
PAUSE_SECONDS = (0.3, 2.0)
TUS = {"Tus-Resumable": "1.0.0"}
PART = 300_000
ENTRIES = 40


@dataclass
class Acknowledged:
    """What the API has promised to keep."""

    items: dict[str, str] = field(default_factory=dict)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    rotations: list[str] = field(default_factory=list)
    attempts: int = 0


def write_until(stop: threading.Event, stack: Stack, person: Person, number: int, kept: Acknowledged) -> None:
    """Create items and upload documents; whatever is not acknowledged is forgotten."""
    with httpx.Client(base_url=stack.url, timeout=30, headers=person.client.headers) as client:
        while not stop.is_set():
            kept.attempts += 1
            write_once(client, person, f"writer {number} item {kept.attempts}", kept)
            stop.wait(0.25)


def write_once(client: httpx.Client, person: Person, title: str, kept: Acknowledged) -> None:
    content = f"Document beside {title}.\n".encode() * 200
    try:
        item = {"vault_id": person.vault_id, "type": "secure_note", "title": title, "fields": {}}
        response = client.post("/v1/vault/items", json=item)
        if response.status_code == 201:
            kept.items[response.json()["id"]] = title
        response = client.post(
            "/v1/vault/documents", data={"vault_id": person.vault_id}, files={"file": (f"{title}.txt", content)}
        )
        if response.status_code == 202:
            kept.documents[response.json()["id"]] = (response.json()["job_id"], content)
        assert response.status_code in (202, 503, 500), response.text
    except httpx.TransportError:
        pass


def work_until(stop: threading.Event, stack: Stack, person: Person, kept: Acknowledged) -> None:
    """Exchange the key, import, and send a file in parts, over and over; each goes on after what was killed."""
    with httpx.Client(base_url=stack.url, timeout=30, headers=person.client.headers) as client:
        while not stop.is_set():
            kept.attempts += 1
            with suppress(httpx.TransportError):
                answer = client.post(f"/v1/vault/vaults/{person.vault_id}/rotate-key")
                if answer.status_code == 202:
                    kept.rotations.append(answer.json()["job_id"])
            with suppress(httpx.TransportError):
                bring(client, person, f"import {kept.attempts} of many", kept)
            send_in_parts(client, person, os.urandom(PART * 3 + 17), kept, stop)
            stop.wait(0.25)


def bring(client: httpx.Client, person: Person, name: str, kept: Acknowledged) -> None:
    entries = [{"type": 2, "name": f"{name} {number}", "secureNote": {"type": 0}} for number in range(ENTRIES)]
    content = json.dumps({"encrypted": False, "folders": [], "items": entries})
    form = {"vault_id": person.vault_id, "format": "bitwarden_json"}
    answer = client.post("/v1/vault/imports", data=form, files={"file": ("export.json", content)})
    if answer.status_code == 202:
        kept.imports[answer.json()["id"]] = name


def send_in_parts(
    client: httpx.Client, person: Person, content: bytes, kept: Acknowledged, stop: threading.Event
) -> None:
    """By tus: where a part was lost, the server says where to go on."""
    said = f"vault_id {base64.b64encode(person.vault_id.encode()).decode()},filename {base64.b64encode(b'a').decode()}"
    begin = TUS | {"Upload-Length": str(len(content)), "Upload-Metadata": said}
    url, offset, document = "", 0, ""
    while not document and not stop.is_set():
        try:
            if not url:
                url = client.post("/v1/vault/uploads", headers=begin).headers.get("Location", "")
                continue
            part = TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            client.patch(url, headers=part, content=content[offset : offset + PART])
            seen = client.head(url, headers=TUS).headers
            offset, document = int(seen.get("Upload-Offset", offset)), seen.get("Upload-Document", "")
        except httpx.TransportError:
            stop.wait(0.2)
    if document:
        kept.files[document] = content


def victims(stack: Stack) -> list[psutil.Process]:
    """Every process below the supervisor."""
    record = read_record(stack.folder)
    if record is None:
        return []
    processes = []
    for mark in record.children:
        process = mark.find()
        if process and mark.name != "mailbox":
            processes += [process, *process.children(recursive=True)]
    return processes


def kill_at_random(stack: Stack, chance: random.Random) -> Counter[str]:
    killed: Counter[str] = Counter()
    while killed.total() < KILLS:
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        alive = victims(stack)
        if alive:
            process = chance.choice(alive)
            try:
                killed[process.name()] += 1
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
    return killed


def test_nothing_acknowledged_is_lost_or_doubled_by_kills(stack: Stack):
    person, kept, work, stop = stack.person(), [Acknowledged(), Acknowledged()], Acknowledged(), threading.Event()
    writers = [
        threading.Thread(target=write_until, args=(stop, stack, person, number, each))
        for number, each in enumerate(kept)
    ]
    writers.append(threading.Thread(target=work_until, args=(stop, stack, person, work)))
    for writer in writers:
        writer.start()
    killed = kill_at_random(stack, random.Random(SEED))
    stop.set()
    for writer in writers:
        writer.join()
    stack.wait_ready()

    items = {key: title for each in kept for key, title in each.items.items()}
    documents = {key: value for each in kept for key, value in each.documents.items()}
    assert items, f"seed {SEED}: nothing was acknowledged under {killed}"
    assert documents
    for document_id, (job_id, content) in documents.items():
        job = wait_for_job(person, job_id)
        assert job["state"] == "succeeded", f"seed {SEED}: {job}"
        assert person.client.get(f"/v1/vault/documents/{document_id}/content").content == content
        assert person.client.get(f"/v1/rag/documents/{document_id}").json()["pages"] >= 1
    check_work(person, work)
    listed = list_all(person)
    titles = Counter(listed.values())
    assert {key: listed.get(key) for key in items} == items, f"seed {SEED}"
    assert [title for title, count in titles.items() if count > 1] == [], f"seed {SEED}"
    brought = Counter(title.rpartition(" ")[0] for title in listed.values() if title.startswith("import "))
    assert set(brought.values()) <= {ENTRIES}, f"seed {SEED}: {brought}"
    assert set(work.imports.values()) <= set(brought)
    done = f"{len(items)} records, {len(documents)} documents, {len(work.imports)} imports, {len(work.files)} files"
    print(f"seed {SEED}: {killed}; {done}, {len(work.rotations)} exchanges of keys")  # noqa: T201


def check_work(person: Person, work: Acknowledged) -> None:
    """What was begun came to its end, and every file is what was sent."""
    for job_id in work.rotations:
        assert wait_for_job(person, job_id)["state"] == "succeeded", f"seed {SEED}"
    for import_id in work.imports:
        done = person.client.get(f"/v1/vault/imports/{import_id}").raise_for_status().json()
        assert wait_for_job(person, done["job_id"])["state"] == "succeeded", f"seed {SEED}"
        done = person.client.get(f"/v1/vault/imports/{import_id}").raise_for_status().json()
        assert done["imported"] == done["total"] == ENTRIES, f"seed {SEED}: {done}"
    for document, content in work.files.items():
        got = person.client.get(f"{document}/content").raise_for_status().content
        assert hashlib.sha256(got).digest() == hashlib.sha256(content).digest(), f"seed {SEED}"


def list_all(person: Person) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor: str | None = None
    while True:
        query = {"vault_id": person.vault_id, "limit": 100} | ({"cursor": cursor} if cursor else {})
        page = person.client.get("/v1/vault/items", params=query).raise_for_status().json()
        found |= {item["id"]: item["title"] for item in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_killed_up_is_taken_over_by_the_next(stack: Stack):
    person = stack.person()
    item = {"vault_id": person.vault_id, "type": "secure_note", "title": "kept", "fields": {}}
    created = person.client.post("/v1/vault/items", json=item).raise_for_status().json()
    assert stack.process is not None
    stack.process.kill()
    stack.process.wait()

    stack.start()

    assert person.client.get(f"/v1/vault/items/{created['id']}").json()["title"] == "kept"
