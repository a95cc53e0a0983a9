"""The blob store: a local folder or S3, GCS, Azure by URL; it only ever sees ciphertext."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import GenericError
from obstore.store import LocalStore, ObjectStore, from_url

PART_BYTES = 5 * 1024 * 1024


class BlobMissing(Exception):
    """No blob of this name."""


class BlobStore:
    """Blobs by name: random ids for files of documents, `folder/name` for what else is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "file":
            folder = Path(unquote(parts.path))
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store: ObjectStore = LocalStore(folder)
        else:
            self._store = from_url(url)

    async def put(self, name: str, content: AsyncIterator[bytes]) -> None:
        """Write a blob from a stream; it appears whole or not at all."""
        await obstore.put_async(self._store, name, content, chunk_size=PART_BYTES, max_concurrency=2)

    async def get(self, name: str, start: int, end: int) -> bytes:
        """The bytes [start, end) of a blob, fewer if it ends before. Raises `BlobMissing`."""
        try:
            return bytes(await obstore.get_range_async(self._store, name, start=start, end=end))
        except FileNotFoundError:
            raise BlobMissing(name) from None
        except GenericError as error:
            if (await self.size(name)) <= start:
                return b""
            raise error

    def get_now(self, name: str, start: int, end: int) -> bytes:
        """As `get`, for threads. Raises `BlobMissing`."""
        try:
            return bytes(obstore.get_range(self._store, name, start=start, end=end))
        except FileNotFoundError:
            raise BlobMissing(name) from None

    async def size(self, name: str) -> int:
        """How many bytes a blob has. Raises `BlobMissing`."""
        try:
            return int((await obstore.head_async(self._store, name))["size"])
        except FileNotFoundError:
            raise BlobMissing(name) from None

    async def delete(self, name: str) -> None:
        """Delete a blob; one that is not there is deleted already."""
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return

    async def names(self, folder: str | None = None) -> AsyncIterator[tuple[str, datetime]]:
        """Every blob, or those of one folder, with the time of its last change."""
        stream: Any = obstore.list(self._store, prefix=folder, chunk_size=500)
        async for page in stream:
            for entry in page:
                yield entry["path"], entry["last_modified"]

    async def check(self) -> None:
        """Raise if the store can't be reached."""
        stream: Any = obstore.list(self._store, chunk_size=1)
        async for _ in stream:
            return
