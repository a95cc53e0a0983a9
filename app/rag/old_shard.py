"""Shards of pipeline 2, read until they have been made anew (see `renewal`): the same facts in wider numbers."""

import json
import struct
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.db.keys import KeyRing
from app.rag.document import Source
from app.rag.shard import FREQUENCY_BITS, pack

MAGIC = b"LVSHARD\x02"
_START = struct.Struct("<8sII")  # magic, checksum, length of the header


def _layout(counts: dict[str, int]) -> Iterator[tuple[str, str, int]]:
    yield "terms", "<u8", counts["terms"] + 1
    yield "postings_at", "<u8", counts["terms"] + 1
    yield "page_bytes", "<u8", counts["pages"] + 1
    yield "page_numbers", "<u4", counts["pages"]
    yield "chunks", "<u4", 3 * counts["chunks"]
    yield "chunk_terms", "<u4", counts["chunks"]
    yield "vector_rows", "<u4", 1 + counts["chunks"]
    yield "windows", "<u4", 2 * counts["windows"]
    yield "postings", "<u4", counts["postings"]
    yield "vectors", "<f2", (1 + counts["windows"]) * counts["dimensions"]
    yield "frequencies", "|u1", counts["postings"]
    yield "title_frequencies", "|u1", counts["terms"] + 1
    yield "text", "|u1", counts["text"]
    yield "headings", "|u1", counts["headings"]


def as_present(data: bytes) -> bytes:
    """The shard as `build_shard` would write it now. Raises `ValueError` for a damaged one."""
    try:
        _, _, length = _START.unpack_from(data)
        header = json.loads(data[_START.size : _START.size + length])
        old = _arrays(data, _START.size + length, header["counts"])
        document, version, vault = (UUID(hex=each) for each in header["ids"])
        source = Source(document, version, vault, header["title"], header["language"])
        width = header["counts"]["dimensions"]
        vectors = old["vectors"].reshape(-1, width) if header["model"] else None
        return pack(source, _sections(old), vectors, header["model"], json.loads(old["headings"].tobytes()))
    except (struct.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError("not an intact shard of pipeline 2") from error


def open_shard(ring: KeyRing, version_id: UUID, body: bytes) -> bytes:
    """The plaintext of a sealed index, whichever pipeline made it. Raises `SealBroken`, `ValueError`."""
    shard = ring.open("rag_shards", version_id, "body", body)
    return as_present(shard) if shard.startswith(MAGIC) else shard


def _sections(old: dict[str, NDArray[Any]]) -> dict[str, Any]:
    places = old["chunks"].reshape(-1, 3).copy()
    places[:, 0] = old["page_numbers"][places[:, 0]]
    terms = old["terms"] >> np.uint64(32)
    return {
        "terms": terms[:-1],
        "postings_at": old["postings_at"],
        "title_terms": terms[old["title_frequencies"] > 0],
        "postings": old["postings"] << FREQUENCY_BITS | old["frequencies"],
        "chunk_terms": old["chunk_terms"],
        "window_rows": np.append(old["vector_rows"][1:] - 1, len(old["windows"]) // 2),
        "places": places.ravel(),
        "windows": old["windows"],
    }


def _arrays(data: bytes, offset: int, counts: dict[str, int]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, length in _layout(counts):
        # An empty section may stand at the very end, where `frombuffer` refuses to look.
        arrays[name] = np.frombuffer(data, dtype, length, offset) if length else np.empty(0, dtype)
        offset += arrays[name].nbytes
    return arrays
