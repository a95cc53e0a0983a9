"""At rest: nothing can be read, and nothing can be moved."""

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.core.crypto import TAG_BYTES
from app.db.base import Base
from app.db.runtime import Runtime
from app.db.session import session_scope
from tests.factories import auth, make_document, make_item, make_user, make_vault
from tests.vault.conftest import Scene, rows_of, speak

MARKER = "Zq7Marker"


def spellings(word: str) -> list[bytes]:
    """A word in the encodings in which it might lie about."""
    plain = word.encode()
    shifted = [base64.b64encode(b"." * shift + plain)[4:-4] for shift in range(3)]
    return [plain, plain.hex().encode(), word.encode("utf-16-le"), word.encode("utf-16-be"), *shifted]


async def everything_stored() -> bytes:
    """Every value of every row of every table."""
    found = []
    async with session_scope() as session:
        for table in Base.metadata.sorted_tables:
            for row in await session.execute(text(f"SELECT * FROM {table.name}")):
                found += [value if isinstance(value, bytes) else repr(value).encode() for value in row]
    return b"\n".join(found)


def blob_of(settings: Settings, name: str) -> Path:
    return Path(unquote(urlsplit(settings.blob_url).path)) / name


async def test_no_word_that_a_person_wrote_can_be_found(
    client: httpx.AsyncClient, settings: Settings, runtime: Runtime
):
    owner = await make_user(name=f"{MARKER} owner", email=f"{MARKER}@example.org")
    vault = await make_vault(owner, name=f"{MARKER} vault")
    item = await make_item(
        owner,
        vault,
        title=f"{MARKER} title",
        fields={"number": f"{MARKER} field", f"{MARKER} name": "x"},
        notes=f"{MARKER} notes",
        tags=(MARKER,),
    )
    changed = await client.patch(
        f"/v1/vault/items/{item.id}", json={"title": f"{MARKER} new"}, headers=auth(owner) | {"If-Match": '"1"'}
    )
    assert changed.status_code == 200
    content = f"{MARKER} content ".encode() * 1000
    await make_document(owner, vault, content=content, name=f"{MARKER}.txt", title=f"{MARKER} paper", tags=(MARKER,))
    body = {"email": f"{MARKER}-guest@example.org"}
    invited = await client.post(f"/v1/vault/vaults/{vault.id}/invitations", json=body, headers=auth(owner))
    assert invited.status_code == 201

    stored = await everything_stored()
    folder = blob_of(settings, "")
    stored += b"".join(path.read_bytes() + path.name.encode() for path in folder.rglob("*") if path.is_file())

    assert str(item.id) in repr(stored)
    for word in (MARKER, MARKER.lower()):
        assert [spelling for spelling in spellings(word) if spelling in stored] == []


def test_the_search_for_words_would_find_them():
    hidden = base64.b64encode(f"in the middle {MARKER} of a text".encode())

    assert any(spelling in hidden for spelling in spellings(MARKER))


async def move(target: str, source: str, **ids: object) -> None:
    """Put the cell that `source` selects in the place that `target` names."""
    async with session_scope() as session:
        cell = await session.scalar(text(f"SELECT body FROM {source}"), ids)
        table, _, condition = target.partition(" ")
        await session.execute(text(f"UPDATE {table} SET body = :cell {condition}"), ids | {"cell": cell})


async def refused(client: httpx.AsyncClient, scene: Scene, path: str) -> bool:
    response = await client.get(f"/v1/vault/{path}", headers=auth(scene.owner))
    return (response.status_code, response.json()["code"]) == (500, "content-damaged")


async def test_a_cell_of_another_row_is_refused(client: httpx.AsyncClient, scene: Scene):
    other = await make_item(scene.owner, scene.vault, title="Other")

    await move("vault_items WHERE id = :item", "vault_items WHERE id = :other", item=scene.item.id, other=other.id)

    assert await refused(client, scene, f"items/{scene.item.id}")
    assert await refused(client, scene, f"items?vault_id={scene.vault.id}")


async def test_a_cell_of_another_table_is_refused(client: httpx.AsyncClient, scene: Scene):
    await move(
        "vault_items WHERE id = :item",
        "vault_documents WHERE id = :document",
        item=scene.item.id,
        document=scene.document.id,
    )

    assert await refused(client, scene, f"items/{scene.item.id}")


async def test_an_older_version_in_the_place_of_the_present_one_is_refused(client: httpx.AsyncClient, scene: Scene):
    url = f"/v1/vault/items/{scene.item.id}"
    await client.patch(url, json={"title": "New"}, headers=auth(scene.owner) | {"If-Match": '"1"'})

    await move("vault_items WHERE id = :item", "vault_item_versions WHERE item_id = :item", item=scene.item.id)

    assert await refused(client, scene, f"items/{scene.item.id}")


async def test_a_cell_of_another_vault_is_refused(client: httpx.AsyncClient, scene: Scene):
    other = await make_item(scene.owner, await make_vault(scene.owner))

    await move("vault_items WHERE id = :item", "vault_items WHERE id = :other", item=scene.item.id, other=other.id)

    assert await refused(client, scene, f"items/{scene.item.id}")


async def test_a_row_that_was_given_to_another_vault_is_refused(client: httpx.AsyncClient, scene: Scene):
    other = await make_vault(scene.owner)
    async with session_scope() as session:
        moved = text("UPDATE vault_items SET vault_id = :vault WHERE id = :item")
        await session.execute(moved, {"vault": other.id, "item": scene.item.id})

    assert await refused(client, scene, f"items/{scene.item.id}")


async def test_a_data_key_that_was_given_to_another_vault_is_refused(client: httpx.AsyncClient, scene: Scene):
    other = await make_vault(scene.owner)
    async with session_scope() as session:
        for statement in (
            "UPDATE data_keys SET owner_id = gen_random_uuid() WHERE owner_id = :other",
            "UPDATE data_keys SET owner_id = :other WHERE owner_id = :vault",
        ):
            await session.execute(text(statement), {"vault": scene.vault.id, "other": other.id})

    response = await client.get(f"/v1/vault/vaults/{other.id}", headers=auth(scene.owner))

    assert response.status_code == 500
    assert "Family papers" not in response.text


async def test_the_name_of_another_member_is_refused(client: httpx.AsyncClient, scene: Scene):
    of_person = "vault_members WHERE vault_id = :vault AND user_id = "

    await move(
        f"{of_person}:viewer",
        f"{of_person}:admin",
        vault=scene.vault.id,
        viewer=scene.viewer.id,
        admin=scene.admin.id,
    )

    assert await refused(client, scene, f"vaults/{scene.vault.id}/members")


async def test_a_changed_bit_is_refused(client: httpx.AsyncClient, scene: Scene):
    async with session_scope() as session:
        flip = "set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1)"
        await session.execute(text(f"UPDATE vault_items SET body = {flip} WHERE id = :id"), {"id": scene.item.id})

    assert await refused(client, scene, f"items/{scene.item.id}")


async def test_the_file_key_of_another_version_is_refused(client: httpx.AsyncClient, scene: Scene):
    other = await make_document(scene.owner, scene.vault)

    await move(
        "vault_document_versions WHERE id = :mine",
        "vault_document_versions WHERE id = :other",
        mine=scene.document.version_id,
        other=other.version_id,
    )

    assert await refused(client, scene, f"documents/{scene.document.id}/content")


async def test_the_file_of_another_version_is_refused(client: httpx.AsyncClient, scene: Scene):
    other = await make_document(scene.owner, scene.vault)
    async with session_scope() as session:
        for row_id, name in ((scene.document.version_id, "x"), (other.version_id, "y")):
            statement = text("UPDATE vault_document_versions SET blob_name = blob_name || :name WHERE id = :id")
            await session.execute(statement, {"id": row_id, "name": name})
        swap = """UPDATE vault_document_versions v SET blob_name = left(w.blob_name, -1)
            FROM vault_document_versions w WHERE v.id = ANY(:ids) AND w.id = ANY(:ids) AND v.id <> w.id"""
        await session.execute(text(swap), {"ids": [scene.document.version_id, other.version_id]})

    assert await refused(client, scene, f"documents/{scene.document.id}/content")


CHUNK = 256 * 1024
SEALED = CHUNK + TAG_BYTES
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one bit of the first chunk": lambda blob: bytes([blob[0] ^ 1]) + blob[1:],
    "first two chunks exchanged": lambda blob: blob[SEALED : 2 * SEALED] + blob[:SEALED] + blob[2 * SEALED :],
    "first chunk cut out": lambda blob: blob[SEALED:],
    "empty": lambda blob: b"",
}
LATE_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut after two chunks": lambda blob: blob[: 2 * SEALED],
    "cut by a byte": lambda blob: blob[:-1],
    "last bit": lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]),
    "second chunk repeated": lambda blob: blob[: 2 * SEALED] + blob[SEALED : 2 * SEALED] + blob[3 * SEALED :],
}


async def damaged_document(scene: Scene, settings: Settings, damage: Callable[[bytes], bytes]) -> str:
    """The path of a document of three and a half chunks whose file was tampered with."""
    document = await make_document(scene.owner, scene.vault, content=bytes(3 * CHUNK + CHUNK // 2))
    [row] = await rows_of("SELECT blob_name FROM vault_document_versions WHERE id = :id", id=document.version_id)
    blob = blob_of(settings, row.blob_name)
    blob.write_bytes(damage(blob.read_bytes()))
    return f"documents/{document.id}/content"


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_file_that_is_damaged_at_its_beginning_is_a_problem(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, damage
):
    path = await damaged_document(scene, settings, DAMAGES[damage])

    assert await refused(client, scene, path)


async def test_a_file_that_is_gone_is_a_problem(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    [row] = await rows_of("SELECT blob_name FROM vault_document_versions WHERE document_id = :id", id=scene.document.id)
    blob_of(settings, row.blob_name).unlink()

    assert await refused(client, scene, f"documents/{scene.document.id}/content")


@pytest.mark.parametrize("damage", LATE_DAMAGES)
async def test_an_answer_breaks_off_where_the_file_is_damaged(
    runtime: Runtime, settings: Settings, scene: Scene, damage
):
    path = await damaged_document(scene, settings, LATE_DAMAGES[damage])
    request = [{"type": "http.request", "body": b"", "more_body": False}]

    sent = await speak(runtime, "GET", f"/v1/vault/{path}", auth(scene.viewer), request)

    body = b"".join(message.get("body", b"") for message in sent)
    assert sent[0]["status"] == 200
    assert CHUNK <= len(body) <= 3 * CHUNK
    assert sent[-1].get("more_body") is True  # never ended, so the server hangs up


@pytest.mark.parametrize("damage", LATE_DAMAGES)
async def test_a_range_beside_the_damage_is_still_served(
    client: httpx.AsyncClient, settings: Settings, scene: Scene, damage
):
    path = await damaged_document(scene, settings, LATE_DAMAGES[damage])

    got = await client.get(f"/v1/vault/{path}", headers=auth(scene.viewer) | {"Range": f"bytes=0-{CHUNK - 1}"})

    assert (got.status_code, got.content) == (206, bytes(CHUNK))
