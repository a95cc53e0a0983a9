"""Streams of sealed chunks: what goes in comes out, from any byte to any byte, or not at all."""

import io
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.crypto import TAG_BYTES, SealBroken, new_secret
from app.core.streams import SealedFile, SealedReader, open_range, seal_stream

CHUNK = 16


async def sealed(plaintext: bytes, *, piece: int = 7) -> tuple[SealedFile, bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(plaintext), piece):
            yield plaintext[start : start + piece]

    file = SealedFile(uuid4(), new_secret(), len(plaintext), CHUNK)
    return file, b"".join([chunk async for chunk in seal_stream(file.id, file.key, pieces(), CHUNK)])


async def opened(file: SealedFile, blob: bytes, start: int = 0, end: int | None = None) -> bytes:
    async def fetch(first: int, last: int) -> bytes:
        return blob[first:last]

    end = file.size if end is None else end
    return b"".join([chunk async for chunk in open_range(file, fetch, start, end)])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100), st.integers(1, 50), st.integers(0, 100), st.integers(0, 100))
async def test_every_range_of_every_file_comes_out_as_it_went_in(plaintext, piece, one, other):
    start, end = sorted((min(one, len(plaintext)), min(other, len(plaintext))))
    file, blob = await sealed(plaintext, piece=piece)

    assert await opened(file, blob) == plaintext
    if start < end:
        assert await opened(file, blob, start, end) == plaintext[start:end]


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_a_file_takes_one_tag_for_each_chunk_more(length):
    file, blob = await sealed(bytes(length))

    assert len(blob) == length + (file.last_chunk + 1) * TAG_BYTES
    assert await opened(file, blob) == bytes(length)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda blob: blob[:-1], id="cut by a byte"),
        pytest.param(lambda blob: blob[: CHUNK + TAG_BYTES], id="cut after a whole chunk"),
        pytest.param(lambda blob: b"", id="empty"),
        pytest.param(lambda blob: blob[:5] + bytes([blob[5] ^ 1]) + blob[6:], id="one bit changed"),
        pytest.param(lambda blob: blob[32:64] + blob[:32] + blob[64:], id="two chunks exchanged"),
        pytest.param(lambda blob: blob[:32] + blob[64:], id="a chunk left out"),
        pytest.param(lambda blob: blob[:32] + blob[:32] + blob[32:], id="a chunk repeated"),
    ],
)
async def test_a_damaged_file_is_refused(damage):
    file, blob = await sealed(bytes(range(3 * CHUNK)))

    with pytest.raises(SealBroken):
        await opened(file, damage(blob))


async def test_a_shorter_size_does_not_pass_for_the_file():
    file, blob = await sealed(bytes(3 * CHUNK))
    shorter = SealedFile(file.id, file.key, 2 * CHUNK, CHUNK)

    with pytest.raises(SealBroken):
        await opened(shorter, blob)


@pytest.mark.parametrize("other", ["id", "key"])
async def test_the_chunks_of_another_file_are_refused(other):
    file, blob = await sealed(bytes(CHUNK))
    id_, key = (uuid4(), file.key) if other == "id" else (file.id, new_secret())

    with pytest.raises(SealBroken):
        await opened(SealedFile(id_, key, file.size, CHUNK), blob)


async def test_what_came_before_the_damage_was_verified():
    file, blob = await sealed(bytes(range(3 * CHUNK)))
    damaged = blob[:-1] + bytes([blob[-1] ^ 1])

    assert await opened(file, damaged, 0, 2 * CHUNK) == bytes(range(2 * CHUNK))


async def test_a_file_does_not_show_its_key():
    file, _ = await sealed(b"text")

    assert file.key.hex() not in repr(file)
    assert str(file.key) not in repr(file)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.lists(st.tuples(st.integers(0, 110), st.integers(0, 40)), max_size=8))
async def test_a_stored_file_is_read_like_any_file_of_python(plaintext, jumps):
    file, blob = await sealed(plaintext)
    reader, like = io.BufferedReader(SealedReader(file, lambda start, end: blob[start:end])), io.BytesIO(plaintext)

    assert reader.seek(0, io.SEEK_END) == len(plaintext)
    for place, size in jumps:
        assert reader.seek(place) == like.seek(place)
        assert reader.read(size) == like.read(size)


async def test_a_stored_file_that_was_cut_or_altered_is_not_read():
    file, blob = await sealed(bytes(50))

    for damaged in (blob[:-1], blob[:20] + b"?" + blob[21:], blob[32:] + blob[:32]):
        reader = io.BufferedReader(SealedReader(file, lambda start, end, damaged=damaged: damaged[start:end]))
        with pytest.raises(SealBroken):
            reader.read()
