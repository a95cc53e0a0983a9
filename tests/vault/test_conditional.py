"""Lists and the feed are not sent again to who has them already."""

import httpx
import pytest

from app.core.etags import etag_of
from tests.factories import auth, make_item
from tests.vault.conftest import Scene

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/vault/vaults", "/v1/vault/items", "/v1/vault/documents", "/v1/vault/types"),
        *("/v1/vault/vaults/{vault}/members", "/v1/reminders", "/v1/notifications"),
    ],
)
async def test_a_list_that_is_the_same_is_not_sent_again(client: httpx.AsyncClient, scene: Scene, path: str):
    path, headers = path.format(vault=scene.vault.id), auth(scene.viewer)
    first = await client.get(path, headers=headers)
    again = await client.get(path, headers={**headers, "If-None-Match": first.headers["etag"]})
    other = await client.get(path, headers={**headers, "If-None-Match": '"another"'})

    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"] == other.headers["etag"]
    assert other.json() == first.json()


async def test_a_list_that_has_changed_is_sent(client: httpx.AsyncClient, scene: Scene):
    headers = auth(scene.viewer)
    first = await client.get("/v1/vault/items", headers=headers)
    item = await make_item(scene.owner, scene.vault)

    again = await client.get("/v1/vault/items", headers={**headers, "If-None-Match": first.headers["etag"]})

    assert again.status_code == 200
    assert str(item.id) in {each["id"] for each in again.json()["items"]}


async def test_who_asks_for_changes_again_and_again_is_answered_when_there_is_one(
    client: httpx.AsyncClient, scene: Scene
):
    headers = auth(scene.viewer)
    until = (await client.get("/v1/vault/changes?limit=500", headers=headers)).json()["until"]
    nothing = await client.get("/v1/vault/changes", params={"since": until}, headers=headers)
    cursor, asked = nothing.json()["until"], {**headers, "If-None-Match": nothing.headers["etag"]}

    still = await client.get("/v1/vault/changes", params={"since": cursor}, headers=asked)
    item = await make_item(scene.owner, scene.vault)
    something = await client.get("/v1/vault/changes", params={"since": cursor}, headers=asked)

    assert nothing.json()["items"] == []
    assert still.status_code == 304
    assert something.status_code == 200
    assert str(item.id) in {each["subject_id"] for each in something.json()["items"]}


async def test_a_tag_tells_nothing_of_what_it_stands_for(runtime):
    key = runtime.settings.lookup_key_bytes

    assert etag_of(b"the same", key) == etag_of(b"the same", key) != etag_of(b"the same", b"another key" * 3)
