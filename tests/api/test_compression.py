"""What is compressed, for whom, and what never is."""

import httpx
import pytest

from app.api.compression import accepts_gzip
from tests.factories import auth, make_item
from tests.vault.conftest import Scene, scene

__all__ = ["scene"]
pytestmark = pytest.mark.anyio
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
async def full(scene: Scene) -> Scene:
    for number in range(12):
        await make_item(scene.owner, scene.vault, title=f"Policy {number}", notes="The same words again. " * 20)
    return scene


async def sent(client: httpx.AsyncClient, scene: Scene, path: str, **headers: str) -> httpx.Response:
    answer = await client.get(path, headers={**auth(scene.viewer), "Accept-Encoding": "identity", **headers})
    assert answer.status_code == 200, answer.text
    return answer


async def test_lists_of_one_vault_are_compressed_and_mean_the_same(client: httpx.AsyncClient, full: Scene):
    for path in (
        f"/v1/vault/items?vault_id={full.vault.id}",
        f"/v1/vault/changes?content=true&vault_id={full.vault.id}",
        "/v1/vault/changes?limit=200",
        "/openapi.json",
        "/docs/files/swagger-ui.css",
    ):
        plain, small = await sent(client, full, path), await sent(client, full, path, **GZIP)

        assert (plain.headers.get("content-encoding"), small.headers["content-encoding"]) == (None, "gzip"), path
        assert "Accept-Encoding" in plain.headers["vary"]
        assert int(small.headers["content-length"]) < len(plain.content) / 2
        if "changes" not in path:  # its cursor is another each time
            assert small.content == plain.content
        if tag := plain.headers.get("etag"):
            assert small.headers["etag"] == f"W/{tag}"
            known = await client.get(path, headers={**auth(full.viewer), **GZIP, "If-None-Match": f"W/{tag}"})
            assert known.status_code == 304


async def test_answers_in_which_vaults_meet_are_not_compressed(client: httpx.AsyncClient, full: Scene):
    for path in (
        "/v1/vault/items",
        "/v1/vault/changes?content=true",
        "/v1/reminders",
        "/v1/vault/vaults",
        f"/v1/vault/items/{full.item.id}",
        "/v1/auth/me",
    ):
        assert "content-encoding" not in (await sent(client, full, path, **GZIP)).headers, path


async def test_small_answers_and_streams_are_not_compressed(client: httpx.AsyncClient, full: Scene):
    small = await sent(client, full, f"/v1/vault/documents?vault_id={full.vault.id}&limit=1", **GZIP)
    stream = await sent(client, full, "/v1/events?since=AAAAAAAAAAAAAAAAAAAAAA", **GZIP)

    assert "content-encoding" not in small.headers
    assert "content-encoding" not in stream.headers


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*", True),
        ("identity", False),
        ("", False),
        ("deflate, br", False),
    ],
)
def test_what_a_client_accepts_is_read_as_it_is_meant(header: str, accepted: bool):
    assert accepts_gzip({b"accept-encoding": header.encode()}) is accepted
