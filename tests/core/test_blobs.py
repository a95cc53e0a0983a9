"""The blob store by its URL: a folder, and S3 over HTTP."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from os import urandom
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import GenericError

from app.core.blobs import PART_BYTES, BlobMissing, BlobStore

BUCKET = "papers"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Where an empty bucket is."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/{BUCKET}", timeout=30).raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    if request.param == "folder":
        return BlobStore((tmp_path / "blobs of the fämily").as_uri())
    variables = {"ENDPOINT": request.getfixturevalue("s3"), "ALLOW_HTTP": "true", "REGION": "us-east-1"}
    for name, value in {**variables, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return BlobStore(f"s3://{BUCKET}/{request.node.name.partition('[')[0]}")


async def parts(content: bytes, size: int = 700_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("length", [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 17])
async def test_what_was_put_is_got_in_ranges(store: BlobStore, length: int):
    content = urandom(length)
    await store.put("a", parts(content))

    assert await store.size("a") == length
    assert await store.get("a", 0, length + 1) == content
    assert await store.get("a", length, length + 10) == b""
    assert await store.get("a", length // 2, length // 2 + 1000) == content[length // 2 : length // 2 + 1000]
    if length:
        assert store.get_now("a", 0, length) == content


async def test_what_is_not_there_is_missing_and_may_be_deleted(store: BlobStore):
    await store.delete("nothing")

    with pytest.raises(BlobMissing):
        await store.size("nothing")
    with pytest.raises(BlobMissing):
        await store.get("nothing", 0, 10)
    with pytest.raises(BlobMissing):
        store.get_now("nothing", 0, 10)


async def test_blobs_are_listed_with_their_times_by_folder(store: BlobStore):
    for name in ("one", "parts/two", "parts/three"):
        await store.put(name, parts(b"content"))
    await store.delete("one")
    await store.put("four", parts(b"content"))

    everything = {name: when async for name, when in store.names()}
    assert set(everything) == {"four", "parts/two", "parts/three"}
    assert {name async for name, _ in store.names("parts")} == {"parts/two", "parts/three"}
    assert all(abs(datetime.now(UTC) - when) < timedelta(minutes=5) for when in everything.values())


async def test_a_stream_that_breaks_off_leaves_nothing(store: BlobStore):
    async def broken() -> AsyncIterator[bytes]:
        yield urandom(PART_BYTES + 1)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put("half", broken())

    with pytest.raises(BlobMissing):
        await store.size("half")


@pytest.mark.slow
async def test_it_says_whether_the_store_is_there(store: BlobStore, monkeypatch: pytest.MonkeyPatch):
    await store.check()

    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(GenericError):
        await BlobStore("s3://nowhere").check()
