"""Any process may be killed at any moment: what was acknowledged is there once, and everything comes back by itself."""

import os
import random
import signal
import threading
import time
from collections import Counter
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


@dataclass
class Acknowledged:
    """What the API has promised to keep."""

    items: dict[str, str] = field(default_factory=dict)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
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
    person, kept, stop = stack.person(), [Acknowledged(), Acknowledged()], threading.Event()
    writers = [
        threading.Thread(target=write_until, args=(stop, stack, person, number, each))
        for number, each in enumerate(kept)
    ]
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
    listed = list_all(person)
    titles = Counter(listed.values())
    assert {key: listed.get(key) for key in items} == items, f"seed {SEED}"
    assert [title for title, count in titles.items() if count > 1] == [], f"seed {SEED}"
    for document_id, (job_id, content) in documents.items():
        job = wait_for_job(person, job_id)
        assert job["state"] == "succeeded", f"seed {SEED}: {job}"
        assert person.client.get(f"/v1/vault/documents/{document_id}/content").content == content
        assert person.client.get(f"/v1/rag/documents/{document_id}").json()["pages"] >= 1


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
