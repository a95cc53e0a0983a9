"""A backup is taken while everything runs; on an empty machine it becomes the same installation again."""

import hashlib
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from app.cli.backups.keys import WrongPassphrase, open_keys, seal_keys
from app.cli.embedded.files import read_json
from app.cli.embedded.ports import LOOPBACK
from app.cli.embedded.secrets import load_or_create_secrets
from app.db.runtime import Runtime
from tests.payments.books.conftest import rows_of
from tests.stack import Person, Stack, free_port, upload, wait_for_job

pytestmark = pytest.mark.slow
PASSPHRASE = "four brown teapots"
LETTER = b"The excess of the car insurance is 250 euros.\n" * 2_000
PASSING = {"jobs", "outbox_events", "auth_sessions", "auth_refresh_tokens", "rate_events"}  # go on while it is taken


def lifevault(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lifevault")), *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LIFEVAULT_")}
    given = {**kept, "LIFEVAULT_BACKUP_PASSPHRASE": PASSPHRASE, **environment}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)


async def digests(folder: Path) -> dict[str, str]:
    """An order-free digest of every table, as the superuser sees it."""
    words, port = load_or_create_secrets(folder).postgres, read_json(folder / "ports.json")["postgres"]
    connection = await asyncpg.connect(f"postgresql://postgres:{words.superuser}@{LOOPBACK}:{port}/lifevault")
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    found = {}
    for (name,) in await connection.fetch(tables):
        rows = await connection.fetch(f'SELECT t::text AS row FROM "{name}" t ORDER BY 1')
        found[name] = f"{len(rows)}:" + hashlib.sha256("\n".join(row["row"] for row in rows).encode()).hexdigest()
    await connection.close()
    return found


def blobs(folder: Path) -> dict[str, str]:
    place = folder / "blobs"
    files = [path for path in place.rglob("*") if path.is_file()]
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write(person: Person) -> tuple[str, str]:
    item = {"vault_id": person.vault_id, "type": "secure_note", "title": "Where the key is", "notes": "Under the pot."}
    item_id = person.client.post("/v1/vault/items", json=item).raise_for_status().json()["id"]
    document = upload(person, "policy.txt", LETTER)
    assert wait_for_job(person, document["job_id"])["state"] == "succeeded"
    return item_id, document["id"]


async def test_a_wiped_machine_has_everything_again(make_stack: Callable[..., Stack], tmp_path: Path):
    before = make_stack()
    person = before.person()
    item_id, document_id = write(person)
    archive = tmp_path / "of the family.tar"

    taken = lifevault("backup", str(archive), "--data", str(before.folder))
    assert taken.returncode == 0, taken.stderr
    rows, files = await digests(before.folder), blobs(before.folder)
    before.stop()

    folder = tmp_path / "another machine"
    restored = lifevault("restore", str(archive), "--data", str(folder))
    assert restored.returncode == 0, restored.stderr
    assert blobs(folder) == files
    after = Stack(folder, free_port())
    after.start()
    try:
        again = await digests(folder)
        assert {name: again.get(name) for name in rows.keys() - PASSING} == {
            name: rows[name] for name in rows.keys() - PASSING
        }
        person.client.base_url = after.url
        after.sign_in(person)
        assert person.client.get(f"/v1/vault/items/{item_id}").json()["notes"] == "Under the pot."
        assert person.client.get(f"/v1/vault/documents/{document_id}/content").content == LETTER
        asked = person.client.post("/v1/rag/ask", json={"question": "What is the excess of the car insurance?"})
        assert "250 euros" in asked.raise_for_status().json()["answer"]
    finally:
        after.close()

    refused = lifevault("restore", str(archive), "--data", str(folder))
    assert (refused.returncode, "holds an installation already" in refused.stderr) == (1, True)
    wrong = lifevault("restore", str(archive), "--data", str(tmp_path / "x"), LIFEVAULT_BACKUP_PASSPHRASE="y" * 12)
    assert (wrong.returncode, wrong.stderr) == (1, "The pass-phrase is wrong.\n")
    damage(archive)
    damaged = lifevault("restore", str(archive), "--data", str(tmp_path / "x"))
    assert (damaged.returncode, "not as they were written" in damaged.stderr) == (1, True)
    assert sorted(os.listdir(tmp_path)) == ["another machine", "of the family.tar", "up.log"]


def damage(archive: Path) -> None:
    """Flip one byte within a blob."""
    with tarfile.open(archive) as tar:
        entry = next(each for each in tar if each.name.startswith("blobs/"))
    content = bytearray(archive.read_bytes())
    content[entry.offset_data + entry.size // 2] ^= 1
    archive.write_bytes(content)


def test_keys_open_by_their_passphrase_alone():
    keys = {"root_keys": "1:abc", "token_keys": "k1:def", "lookup_key": "ghi"}
    sealed = seal_keys(keys, PASSPHRASE)

    assert open_keys(sealed, PASSPHRASE) == keys
    assert b"abc" not in sealed
    for content, passphrase in (
        (sealed, "another phrase"),
        (sealed.replace(b'"sealed":"', b'"sealed":"A'), PASSPHRASE),
    ):
        with pytest.raises(WrongPassphrase):
            open_keys(content, passphrase)


async def test_the_system_sees_every_row_so_that_the_owners_dump_has_it(runtime: Runtime):
    hidden = """SELECT c.relname FROM pg_class c WHERE c.relrowsecurity AND NOT EXISTS (
        SELECT 1 FROM pg_policies p WHERE p.tablename = c.relname AND p.cmd IN ('SELECT', 'ALL')
        AND (p.qual LIKE '%app_is_system%' OR p.qual LIKE '%app_principal() <> %'))"""

    assert await rows_of(hidden) == []
    assert len(await rows_of("SELECT 1 FROM pg_class WHERE relrowsecurity")) > 40
