"""Checkpoints: how far a chain was found whole, signed, and kept outside of the database, too."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from app.audit import chain
from app.audit.chain import Head
from app.core.blobs import BlobMissing
from app.db.runtime import current

FOLDER: Final = "audit"
MOST_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Mark:
    """A signed end of a chain."""

    head: Head
    key_version: int
    signature: bytes


def mark_of(row: Any) -> Mark:
    """The checkpoint of a row, or of something like it."""
    return Mark(Head(row["chain_id"], row["sequence"], row["hash"]), row["key_version"], row["signature"])


def signed_mark(head: Head) -> Mark:
    """A checkpoint at this end, signed by the newest key. Raises `RootKeyMissing`."""
    version = chain.current_key_version()
    return Mark(head, version, chain.sign(head, version))


async def store_mark(mark: Mark) -> None:
    """Keep a checkpoint in the blob store, in the place of the one before."""
    content = {
        "chain_id": str(mark.head.chain_id),
        "sequence": mark.head.sequence,
        "hash": mark.head.hash.hex(),
        "key_version": mark.key_version,
        "signature": mark.signature.hex(),
    }

    async def pieces() -> AsyncIterator[bytes]:
        yield orjson.dumps(content)

    await current().blobs.put(_name(mark.head.chain_id), pieces())


async def stored_mark(chain_id: UUID) -> Mark | None:
    """The checkpoint of a chain in the blob store; one that can't be read counts as one that is forged."""
    try:
        content = await current().blobs.get(_name(chain_id), 0, MOST_BYTES)
    except BlobMissing:
        return None
    try:
        values = orjson.loads(content)
        head = Head(chain_id, int(values["sequence"]), bytes.fromhex(values["hash"]))
        return Mark(head, int(values["key_version"]), bytes.fromhex(values["signature"]))
    except (ValueError, KeyError, TypeError):
        return Mark(Head(chain_id, 0, b""), chain.current_key_version(), b"")


async def stored_chain_ids() -> AsyncIterator[UUID]:
    """The chains of which a checkpoint is in the blob store."""
    async for name, _ in current().blobs.names(FOLDER):
        yield UUID(name.rpartition("/")[2])


async def drop_mark(chain_id: UUID) -> None:
    """Forget a chain that went with its owner."""
    await current().blobs.delete(_name(chain_id))


def _name(chain_id: UUID) -> str:
    return f"{FOLDER}/{chain_id}"
