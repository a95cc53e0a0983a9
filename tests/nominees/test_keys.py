"""Legacy keys: sheets that are shown once, and open exports and sealed vaults however often other keys change."""

import asyncio
import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pypdfium2
import pyrage
import pytest

from app.nominees import age
from app.nominees.archive import NotAnExport, open_export, private_key
from app.nominees.shamir import combine, share_among_three
from app.nominees.shamir.words import words as all_words
from app.sealed.legacy import legacy_keys, open_as_nominee
from tests.factories import auth, make_document, make_item, make_user
from tests.nominees.conftest import ROOT, Legacy, Nominee, rows_of
from tests.sealed.conftest import Family, family, founded
from tests.vault.test_rotation import rotate

__all__ = ["family", "founded"]

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def words_on(page: pypdfium2.PdfPage) -> str:
    """The words of a sheet, read from its page by their numbers."""
    found = re.findall(r"\b(\d{1,2})\s+([a-z]{4,8})\b", page.get_textpage().get_text_range())
    numbered = {int(number): word for number, word in found if word in all_words()}
    return " ".join(numbered[number] for number in sorted(numbered))


async def make_sheets(legacy: Legacy, *nominees: Nominee, needed: int) -> tuple[dict[str, str], list[str]]:
    """The key as it is listed, and the words of each sheet."""
    body = {"nominee_ids": [each.id for each in nominees], "nominees_needed": needed}
    made = await legacy.client.post(f"{ROOT}/legacy-keys", json=body, headers=legacy.headers)
    assert made.status_code == 201, made.text
    assert (made.headers["content-type"], made.headers["cache-control"]) == ("application/pdf", "no-store")
    document = pypdfium2.PdfDocument(made.content)
    sheets = [words_on(page) for page in document]
    document.close()
    return (await legacy.get("/legacy-keys"))["items"][0], sheets


async def export_of(legacy: Legacy) -> bytes:
    response = await legacy.client.get(f"{ROOT}/export", headers=legacy.headers)
    assert response.status_code == 200, response.text
    return response.content


async def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command `lifevault` on a machine that knows no server."""
    command = [str(Path(sys.executable).with_name("lifevault")), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIFEVAULT_")}
    options = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 120}
    return await asyncio.to_thread(subprocess.run, command, **options)


async def test_sheets_are_shown_once_and_any_two_groups_open(legacy: Legacy):
    grace, alan, tom = [await legacy.name(name, accept=False) for name in ("Grace", "Ελένη", "Tom")]
    key, sheets = await make_sheets(legacy, grace, alan, tom, needed=2)
    owner, *theirs = sheets
    assert len(theirs) == 3
    server = (await legacy.post(f"/legacy-keys/{key['id']}/server-sheet"))["words"]

    secrets = {combine(each) for each in ([owner, server], [owner, *theirs[:2]], [server, *theirs[1:]])}

    assert len(secrets) == 1
    public = legacy_keys(UUID(key["id"]), secrets.pop()).identity.public
    assert (base64.b64decode(key["public_key"]), key["recipient"]) == (
        public.to_bytes(),
        age.recipient_text(public.exchange),
    )
    [row] = await rows_of("SELECT t::text FROM legacy_keys t WHERE user_id = :id", id=legacy.owner.id)
    assert server not in row[0]
    assert owner not in row[0]
    assert (await legacy.client.delete(f"{ROOT}/people/{grace.id}", headers=legacy.headers)).status_code == 409


async def test_the_server_s_part_goes_to_its_owner_and_to_nobody_else(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    key, _ = await make_sheets(legacy, grace, needed=1)
    stranger = auth(await make_user())
    for method, path in (("POST", f"/legacy-keys/{key['id']}/server-sheet"), ("DELETE", f"/legacy-keys/{key['id']}")):
        assert (await legacy.client.request(method, f"{ROOT}{path}", headers=stranger)).status_code == 404
    too_many = {"nominee_ids": [grace.id], "nominees_needed": 2}
    assert (await legacy.post("/legacy-keys", too_many, expect=409))["code"] == "sheets-unsuitable"
    await legacy.post("/legacy-keys", {"nominee_ids": [str(uuid4())]}, expect=404)
    statement = "UPDATE auth_sessions SET authenticated_at = now() - interval '1 hour' WHERE user_id = :id RETURNING id"
    await rows_of(statement, id=legacy.owner.id)
    for path in (f"/legacy-keys/{key['id']}/server-sheet", "/legacy-keys"):
        body = {"nominee_ids": [grace.id]} if path.endswith("keys") else None
        assert (await legacy.post(path, body, expect=403))["code"] == "step-up-required"
    export = await legacy.client.get(f"{ROOT}/export", headers=legacy.headers)
    assert (export.status_code, export.json()["code"]) == (403, "step-up-required")


async def test_nominees_get_the_server_s_part_when_a_released_plan_gives_it(legacy: Legacy):
    grace, alan = await legacy.name("Grace"), await legacy.name("Alan")
    key, sheets = await make_sheets(legacy, grace, needed=1)
    plan_id = await legacy.plan(grace, alan, gives_server_sheet=True)
    for nominee in (grace, alan):
        await legacy.sign_in(nominee)
    await legacy.get("/visit/released/server-sheets", by=grace, expect=404)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "released")

    [server] = (await legacy.get("/visit/released/server-sheets", by=grace))["items"]

    assert server["legacy_key_id"] == key["id"]
    assert combine([server["words"], sheets[1]]) == combine([sheets[0], sheets[1]])
    assert (await legacy.get("/visit/released/server-sheets", by=alan))["items"] == []
    assert "server_sheet" in {each["kind"] for each in (await legacy.get("/reads"))["items"]}
    await legacy.post(f"/cases/{case_id}/stop")
    await legacy.get("/visit/released/server-sheets", by=grace, expect=404)


async def test_a_device_registers_a_key_whose_secret_it_keeps_to_itself(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    set_id, secret = uuid4(), os.urandom(32)
    parts, public = share_among_three(secret, 1, 1), legacy_keys(set_id, secret).identity.public
    body = {
        "id": str(set_id),
        "public_key": base64.b64encode(public.to_bytes()).decode(),
        "server_sheet": parts.server,
        "nominee_ids": [grace.id],
    }
    registered = await legacy.post("/legacy-keys/register", body, expect=201)
    assert (registered["id"], registered["public_key"]) == (str(set_id), body["public_key"])
    assert (await legacy.post("/legacy-keys/register", body, expect=409))["code"] == "legacy-key-taken"
    for wrong in ({"server_sheet": parts.owner}, {"server_sheet": "academic acid"}, {"id": str(uuid4())}):
        assert (await legacy.post("/legacy-keys/register", {**body, **wrong}, expect=409))["code"] == "not-our-share"
    assert (await legacy.post(f"/legacy-keys/{set_id}/server-sheet"))["words"] == parts.server
    deleted = await legacy.client.delete(f"{ROOT}/legacy-keys/{set_id}", headers=legacy.headers)
    assert deleted.status_code == 204
    assert (await legacy.get("/legacy-keys"))["items"] == []


async def test_an_export_opens_with_sheets_and_no_server_after_the_vaults_have_other_keys(
    legacy: Legacy, tmp_path: Path
):
    grace, alan = await legacy.name("Grace", accept=False), await legacy.name("Alan", accept=False)
    assert (await legacy.client.get(f"{ROOT}/export", headers=legacy.headers)).status_code == 404
    _, sheets = await make_sheets(legacy, grace, alan, needed=2)
    large = os.urandom(700_000)
    await make_document(legacy.owner, legacy.vault, content=large, name='a/b "c".bin')
    for _ in range(3):
        await rotate(legacy.vault.id)
    (tmp_path / "export.age").write_bytes(await export_of(legacy))
    for number, words in enumerate(sheets):
        (tmp_path / f"sheet{number}").write_text(words)

    done = await run(tmp_path, "legacy", "open", "export.age", "sheet0", "sheet1", "sheet2", "--to", "opened")

    assert (done.returncode, done.stderr) == (0, "")
    [folder] = (tmp_path / "opened").glob("*Family papers")
    [item] = json.loads((folder / "items.json").read_text())
    assert (item["title"], item["fields"]) == ("Ada's passport", {"number": "K01234567"})
    assert len(json.loads((folder / "documents.json").read_text())) == 2
    contents = {path.read_bytes() for path in (folder / "documents").iterdir()}
    assert contents == {b"The excess is 250 euros.\n", large}
    assert not (tmp_path / "opened" / "export.zip").exists()
    again = await run(tmp_path, "legacy", "open", "export.age", "sheet0", "sheet1", "--to", "more")
    assert again.returncode == 1
    assert "1 more" in again.stderr
    assert not (tmp_path / "more").exists()


async def test_the_stock_program_opens_an_export_by_the_key_that_the_sheets_give(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    key, sheets = await make_sheets(legacy, grace, needed=1)
    export = await export_of(legacy)

    header = age.read_header(io.BytesIO(export))
    identity = age.identity_text(private_key(header.set_id, sheets))

    assert (str(header.set_id), header.stanzas[0][0][0]) == (key["id"], "X25519")
    opened = pyrage.decrypt(export, [pyrage.x25519.Identity.from_str(identity)])
    assert opened.startswith(b"PK")
    assert b"K01234567" not in export


async def test_an_export_has_what_is_the_owner_s_and_nothing_else(legacy: Legacy, tmp_path: Path):
    from tests.factories import make_member, make_vault

    other = await make_user()
    shared = await make_vault(other, name="Not mine")
    await make_item(other, shared, title="Not mine either")
    await make_member(shared, role="admin", user=legacy.owner)
    for number in range(120):
        await make_item(legacy.owner, legacy.other, type="secure_note", title=f"Note {number}")
    grace = await legacy.name("Grace", accept=False)
    _, sheets = await make_sheets(legacy, grace, needed=1)

    open_export(io.BytesIO(await export_of(legacy)), sheets, tmp_path / "opened")

    folders = {path.name[3:] for path in (tmp_path / "opened").iterdir() if path.is_dir()}
    assert folders == {"Family papers", "Diaries"}
    [diaries] = (tmp_path / "opened").glob("*Diaries")
    titles = {each["title"] for each in json.loads((diaries / "items.json").read_text())}
    assert titles == {"Dear diary", *(f"Note {number}" for number in range(120))}


def pieces(data: bytes):
    async def stream():
        for start in range(0, len(data), 50_000):
            yield data[start : start + 50_000]

    return stream()


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
async def test_files_are_those_of_age_in_both_directions(size: int):
    identity, data = pyrage.x25519.Identity.generate(), os.urandom(size)
    set_id, secret = uuid4(), os.urandom(32)
    keys = legacy_keys(set_id, secret).identity
    private = keys.exchange.private_bytes_raw()
    ours = b"".join([piece async for piece in age.seal(keys.public.exchange, set_id, pieces(data))])
    theirs = pyrage.encrypt(
        data, [identity.to_public(), pyrage.x25519.Recipient.from_str(age.recipient_text(keys.public.exchange))]
    )

    stock = pyrage.x25519.Identity.from_str(age.identity_text(private))
    assert pyrage.decrypt(ours, [stock]) == data
    for file in (io.BytesIO(ours), io.BytesIO(theirs)):
        assert b"".join(age.unseal(private, age.read_header(file), file)) == data


async def test_an_export_that_was_altered_cut_or_is_for_others_is_refused(tmp_path: Path):
    set_id, secret = uuid4(), os.urandom(32)
    keys = legacy_keys(set_id, secret).identity
    private = keys.exchange.private_bytes_raw()
    good = b"".join([piece async for piece in age.seal(keys.public.exchange, set_id, pieces(os.urandom(150_000)))])
    body = good.index(b"--- ")

    def opens(data: bytes, key: bytes = private) -> bool:
        file = io.BytesIO(data)
        try:
            b"".join(age.unseal(key, age.read_header(file), file))
        except age.NotOpened:
            return False
        return True

    assert opens(good)
    assert not opens(good, os.urandom(32))
    assert not any(opens(good[:end]) for end in (0, 10, body, body + 30, body + 80, len(good) - 65_552, len(good) - 1))
    places = [3, 30, body - 30, body + 10, body + 60, body + 70_000, len(good) - 3]
    assert not any(opens(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]) for at in places)
    assert not opens(good + b"x")
    assert not opens(good.replace(str(set_id).encode(), str(uuid4()).encode()))


async def test_an_archive_unpacks_below_its_folder_only(tmp_path: Path):
    import zipfile

    set_id, secret = uuid4(), os.urandom(32)
    parts, keys = share_among_three(secret, 1, 1), legacy_keys(set_id, secret).identity
    for name in ("../evil", "/evil", "a/../../evil", "a\\b"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, b"x")
        sealed = [each async for each in age.seal(keys.public.exchange, set_id, pieces(packed.getvalue()))]
        with pytest.raises(NotAnExport):
            open_export(io.BytesIO(b"".join(sealed)), [parts.owner, parts.server], tmp_path / uuid4().hex)
    assert not (tmp_path / "evil").exists()


async def test_the_same_sheets_open_a_sealed_vault_in_an_export_after_100_rotations(family: Family, tmp_path: Path):
    import zipfile

    set_id, secret, alice = uuid4(), os.urandom(32), family.client("alice")
    sheets, keys = share_among_three(secret, 2, 3), legacy_keys(set_id, secret)
    vault, words = alice.open_vault(family.vault), alice.fingerprint
    vault.add_legacy(keys.identity.public)
    for _ in range(100):
        vault.renew_key()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, blob in family.server.blobs.items():
            if name.startswith(f"vaults/{family.vault}/"):
                archive.writestr(f"sealed/{name}", blob)
    sealed = [each async for each in age.seal(keys.identity.public.exchange, set_id, pieces(packed.getvalue()))]

    typed = [sheets.owner, *sheets.nominees[:2]]
    open_export(io.BytesIO(b"".join(sealed)), typed, tmp_path / "opened", words)

    folder = tmp_path / "opened" / f"sealed vault {family.vault}"
    titles = {item["fields"]["title"] for item in json.loads((folder / "items.json").read_text())}
    assert titles == {"Passport", "Last will"}
    [file] = folder.glob("file *")
    assert file.read_bytes().endswith(b"the last page")
    assert open_as_nominee(family.server, keys, family.vault, words).keyring.head.epoch == 101
