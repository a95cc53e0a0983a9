"""Root keys are exchanged on a running product without touching data, and data keys without losing any."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.embedded.files import read_json, write_json
from tests.stack import Stack, upload, wait_for_job
from tests.system.test_main_job import PAGES, pdf
from tests.system.test_secrecy import dump

pytestmark = pytest.mark.slow
QUESTION = {"question": "What is our excess for water damage?"}


def lifevault(stack: Stack, *arguments: str) -> str:
    program = str(Path(sys.executable).with_name("lifevault"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LIFEVAULT_")}
    command = [program, *arguments, "--data", str(stack.folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_keys_of_both_kinds_are_exchanged_and_everything_still_opens(stack: Stack):
    person = stack.person()
    content = pdf(PAGES)
    document = upload(person, "Home insurance.pdf", content)
    wait_for_job(person, document["job_id"])
    item = {"vault_id": person.vault_id, "type": "secure_note", "title": "Safe", "notes": "left, right", "fields": {}}
    item_id = person.client.post("/v1/vault/items", json=item).raise_for_status().json()["id"]

    lifevault(stack, "keys", "new-root")
    stack.stop()
    stack.start()
    assert "wrapped anew" in lifevault(stack, "keys", "rotate-root")
    stack.stop()
    secrets = read_json(stack.folder / "secrets.json")
    secrets["root_keys"] = secrets["root_keys"].split(",")[-1]  # the first root key is gone for good
    write_json(stack.folder / "secrets.json", secrets)
    stack.start()
    before = dump(stack)
    rotation = person.client.post(f"/v1/vault/vaults/{person.vault_id}/rotate-key").raise_for_status().json()
    job = wait_for_job(person, rotation.get("job_id", rotation.get("id")), seconds=180)

    assert job["state"] == "succeeded"
    assert person.client.get(f"/v1/vault/items/{item_id}").json()["notes"] == "left, right"
    assert person.client.get(f"/v1/vault/documents/{document['id']}/content").content == content
    assert "420 euros" in person.client.post("/v1/rag/ask", json=QUESTION).json()["answer"]
    assert person.client.get("/v1/auth/me").json()["email"] == person.email
    old, new = keys_of(before), keys_of(dump(stack))
    assert len(old - new) == 1
    assert len(new - old) == 1


def keys_of(dumped: bytes) -> set[str]:
    """The ids of the data keys in a dump."""
    table = dumped.partition(b"COPY public.data_keys ")[2].partition(b"\n\\.")[0].decode().splitlines()[1:]
    return {line.split("\t")[0] for line in table}
