"""Sealed vaults in an export: as they are sealed, and opened by the password without a server."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app as cli
from app.core.config import Settings
from app.db.runtime import current
from app.sealed.errors import WrongPassword
from app.sealed.exported import open_folder
from app.sealed.files import SMALLEST_CHUNK
from tests.factories import auth, make_item, make_vault
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import in_thread, let_in, password, rows
from tests.vault.test_exports import fetch, opened

SCAN = bytes(SMALLEST_CHUNK) + b"the last page"


async def test_an_export_holds_sealed_vaults_as_they_are_and_the_password_opens_them(
    people: People, settings: Settings, tmp_path: Path
):
    client, alice, bob = people.client, people.alice, people.bob
    await make_item(bob.user, await make_vault(bob.user, name="Sealed"), title="In clear")
    vault = await in_thread(alice.sealed.create_vault)
    scan = await in_thread(vault.put_file, [SCAN], SMALLEST_CHUNK)
    item = await in_thread(vault.items.put, {"title": "Reisepass", "number": "X1"})
    await let_in(client, alice, bob, vault, "viewer")
    await in_thread(vault.renew_key)
    await in_thread(vault.items.put, {"title": "Reisepass", "number": "X2", "scan": scan.to_text()}, item)
    gone = await in_thread(vault.items.put, {"title": "Thrown away"})
    await in_thread(vault.items.delete, gone)

    content = await fetch(client, settings, bob.user)

    archive, about = opened(content)
    names = set(archive.namelist())
    [told] = [each for each in about["sealed_vaults"] if each["id"] == str(vault.id)]
    assert told == {"id": str(vault.id), "kind": "family", "path": f"sealed/vaults/{vault.id}/", "damaged": []}
    assert f"sealed/vaults/{vault.id}/wraps/2/{bob.id}" in names
    assert not [name for name in names if f"/{alice.id}" in name], "what others open with is theirs"
    assert b"sealed open" in archive.read("README.txt")
    assert [each["title"] for plain in about["vaults"] for each in plain["items"]] == ["In clear"]
    assert b"Reisepass" not in b"".join(archive.read(name) for name in names)
    manifest = json.loads(archive.read("manifest.json"))
    assert {each["path"] for each in manifest["files"]} == names - {"manifest.json"}
    folder = tmp_path / "export"
    archive.extractall(folder)
    with pytest.raises(WrongPassword):
        await in_thread(open_folder, folder, "guessed", tmp_path / "nothing")

    ended = CliRunner().invoke(
        cli, ["sealed", "open", str(folder), "--to", str(tmp_path / "out")], input=f"{password('bob')}\n"
    )

    assert ended.exit_code == 0, ended.output
    out = tmp_path / "out" / f"sealed vault {vault.id}"
    assert [each["fields"]["number"] for each in json.loads((out / "items.json").read_text())] == ["X2"]
    [file] = out.glob("file *")
    assert file.read_bytes() == SCAN


async def test_a_damaged_chunk_is_named_and_the_rest_goes_along(people: People, settings: Settings):
    client, mallory = people.client, people.mallory
    vault = await in_thread(mallory.sealed.create_vault)
    scan = await in_thread(vault.put_file, [b"a page"])
    [(blob,)] = await rows("SELECT blob_name FROM vault_sealed_chunks WHERE file_id = :id", id=scan.file)
    await current().blobs.delete(str(blob))
    path = f"/v1/vault/sealed/vaults/{vault.id}/files/{scan.file}/chunks/0"
    assert (await client.get(path, headers=auth(mallory.user))).json()["code"] == "content-damaged"

    content = await fetch(client, settings, mallory.user, vault_ids=[str(vault.id)])

    _, about = opened(content)
    assert about["sealed_vaults"][0]["damaged"] == [f"vaults/{vault.id}/files/{scan.file}/0"]
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
