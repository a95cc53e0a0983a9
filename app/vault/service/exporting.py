"""Writing an export: one pass over everything that the person can read, straight into a sealed blob.

A try that dies leaves a blob that no row names, which is swept; the next try begins anew, under another key.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select, update
from sqlalchemy.sql import func

from app.auth.principal import Principal
from app.core.age import encrypted, lock
from app.core.clock import utc_now
from app.core.crypto import new_secret
from app.core.logging import get_log
from app.core.streams import seal_stream
from app.db.runtime import current
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun
from app.vault.archive import bitwarden, pages
from app.vault.archive.names import Names
from app.vault.archive.zips import ZipStream
from app.vault.errors import ContentDamaged, VaultNotFound
from app.vault.models.files import exports
from app.vault.policy import SEALED
from app.vault.schemas.vaults import VaultRead
from app.vault.sealed.exporting import account_blobs, vault_blobs
from app.vault.service.collecting import count_all, documents_of, items_of, links_of, types_of
from app.vault.service.content import VersionContent, discard
from app.vault.service.exports import opened, sealed
from app.vault.service.vaults import read_vault

FORMAT: Final = "lifevault-export"
FORMAT_VERSION: Final = 1
EARLIER, TRASH = "Earlier versions/", "Trash/"
PROGRESS_EVERY: Final = 100
PIECE_BYTES: Final = 64 * 1024

log = get_log(__name__)


async def write_export(run: JobRun) -> None:
    """Write the export that the job is about, and put it where it can be fetched.

    Raises `JobFailed` if it was deleted, or a vault that is in it can't be read any more.
    """
    row, about = await _row(run)
    principal = Principal(row["user_id"], frozenset({"vault:read"}))
    taking = Taking(run, principal, await _vaults(run, principal, row["vault_ids"]), utc_now())
    protection = about["protection"] or {}
    name, media_type, pieces = _file(taking, row["format"], protection)
    if "recipient" in protection or ("passphrase" in protection and row["format"] == "lifevault"):
        locked = await asyncio.to_thread(lambda: lock(**protection))
        name, media_type, pieces = f"{name}.age", "application/octet-stream", encrypted(locked, pieces)
    blob_name, key, measured = uuid4().hex, new_secret(), _Measured(pieces)
    chunk_bytes = current().settings.upload_chunk_bytes
    try:
        await current().blobs.put(blob_name, seal_stream(row["id"], key, measured.pieces(), chunk_bytes))
        file = {"key": key.hex(), "chunk_bytes": chunk_bytes, "size": measured.size, "name": name}
        content = {**file, "media_type": media_type, "sha256": measured.digest.hexdigest()}
        await _publish(run, row, blob_name, content)
    except BaseException:
        await discard([blob_name])
        raise


async def _row(run: JobRun) -> tuple[Any, Any]:
    async with run.scope() as session:
        row = (await session.execute(select(exports).where(exports.c.id == run.subject_id))).mappings().one_or_none()
        if row is None or row["blob_name"]:
            raise JobFailed("export-gone", "The export was deleted before it was written.")
        return row, opened(await current().keys.ring(session, row["user_id"], row["body"]), row)


async def _vaults(run: JobRun, principal: Principal, vault_ids: list[UUID]) -> list[VaultRead]:
    try:
        async with run.scope() as session:
            return [await read_vault(session, principal, vault_id) for vault_id in vault_ids]
    except VaultNotFound:
        raise JobFailed("vault-gone", "You can't read one of the vaults any more. Ask for another export.") from None


async def _publish(run: JobRun, row: Any, blob_name: str, content: dict[str, Any]) -> None:
    async with run.scope() as session:
        ring = await current().keys.ring(session, row["user_id"])
        values = {"blob_name": blob_name, "size": content["size"], "finished_at": func.now()}
        done = update(exports).where(exports.c.id == row["id"], exports.c.blob_name.is_(None))
        done = done.values(**values, body=sealed(ring, row["id"], content))
        if await session.scalar(done.returning(exports.c.id)) is None:
            raise JobFailed("export-gone", "The export was deleted before it was written.")
        await run.finish(session)


def _file(taking: "Taking", kind: str, protection: dict[str, str]) -> tuple[str, str, AsyncIterator[bytes]]:
    """The name, the type and the content of what is written."""
    day = f"{taking.now:%Y-%m-%d}"
    if kind == "bitwarden":
        pieces = taking.bitwarden(protection.get("passphrase"))
        return f"bitwarden-export-{day}.json", "application/json", pieces
    return f"lifevault-export-{day}.zip", "application/zip", taking.archive()


class _Measured:
    """Counts and hashes what flows through, in pieces that are worth sealing."""

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        self._content = content
        self.size = 0
        self.digest = hashlib.sha256()

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._content:
            self.size += len(piece)
            self.digest.update(piece)
            if piece:
                yield piece


@dataclass(slots=True)
class Taking:
    """One pass over the vaults."""

    run: JobRun
    principal: Principal
    vaults: list[VaultRead]
    now: datetime
    _done: int = 0
    _total: int = 0
    _names: Names = field(default_factory=Names)
    _damaged: dict[UUID, list[str]] = field(default_factory=dict)

    async def bitwarden(self, passphrase: str | None) -> AsyncIterator[bytes]:
        """The JSON of Bitwarden; it is small enough to be made as a whole, and can't be encrypted otherwise."""
        await self._count()
        items = [item for vault in self._readable async for item in self._items(vault)]
        document = await asyncio.to_thread(bitwarden.export, items)
        if passphrase:
            document = await asyncio.to_thread(bitwarden.protected, document, passphrase)
        yield orjson.dumps(document, option=orjson.OPT_INDENT_2)

    async def archive(self) -> AsyncIterator[bytes]:
        """The ZIP: files first, so that what is known of them can be told after."""
        await self._count()
        archive, files = ZipStream(), dict[UUID, list[dict[str, Any]]]()
        self._names.take("", SEALED)
        folders = {vault.id: self._names.take("", vault.name) + "/" for vault in self._readable}
        for vault in self._readable:
            files[vault.id] = []
            async for about, versions in documents_of(self.run.scope, self.principal, vault.id):
                folder = folders[vault.id] + (TRASH if about["trashed_at"] else "")
                shown = {**about, "versions": []}
                files[vault.id].append(shown)
                for content in versions:
                    async for piece in self._add(archive, folder, shown, content, last=content is versions[-1]):
                        yield piece
        async for piece in self._sealed(archive):
            yield piece
        readme = pages.README + (pages.SEALED if self._sealed_vaults else "")
        for path, pieces in (
            ("lifevault.json", self._json(files)),
            ("index.html", self._html(files)),
            ("README.txt", _once(readme.encode())),
        ):
            async for piece in archive.add(path, pieces, self.now):
                yield piece
        async for piece in archive.add("manifest.json", _once(self._manifest(archive)), self.now):
            yield piece
        yield archive.close()

    async def _add(
        self, archive: ZipStream, folder: str, document: dict[str, Any], content: VersionContent, *, last: bool
    ) -> AsyncIterator[bytes]:
        """A file; one that is damaged in our store is told as such, and as long as it could be read."""
        path = self._names.take(folder if last else f"{folder}{EARLIER}", content.name)
        damaged = False
        try:
            async for piece in archive.add(path, content.chunks(), content.created_at, packed=False):
                yield piece
        except ContentDamaged:
            damaged = True
        about = {name: getattr(content, name) for name in ("number", "name", "media_type", "size", "sha256")}
        document["versions"].append({**about, "created_at": content.created_at, "path": path, "damaged": damaged})
        await self._step()

    @property
    def _readable(self) -> list[VaultRead]:
        return [vault for vault in self.vaults if vault.tier != SEALED]

    @property
    def _sealed_vaults(self) -> list[VaultRead]:
        return [vault for vault in self.vaults if vault.tier == SEALED]

    async def _sealed(self, archive: ZipStream) -> AsyncIterator[bytes]:
        """What clients have sealed, as it is, under the names that suite LV1 gives it."""
        found = await account_blobs(self.run.scope, self.principal.user_id) if self._sealed_vaults else {}
        for name, blob in found.items():
            async for piece in archive.add(f"{SEALED}/{name}", _once(blob), self.now, packed=False):
                yield piece
        for vault in self._sealed_vaults:
            damaged = self._damaged.setdefault(vault.id, [])
            async for name, content in vault_blobs(self.run.scope, self.principal, vault.id):
                if content is None:
                    damaged.append(name)
                    continue
                async for piece in archive.add(f"{SEALED}/{name}", _once(content), self.now, packed=False):
                    yield piece

    async def _json(self, files: dict[UUID, list[dict[str, Any]]]) -> AsyncIterator[bytes]:
        head: dict[str, Any] = {"format": FORMAT, "version": FORMAT_VERSION, "created_at": self.now}
        if self._sealed_vaults:
            head["sealed_vaults"] = [
                {"id": str(each.id), "kind": each.kind, "path": f"{SEALED}/vaults/{each.id}/", "damaged": damaged}
                for each, damaged in ((each, self._damaged[each.id]) for each in self._sealed_vaults)
            ]
        yield orjson.dumps(head)[:-1] + b',"vaults":['
        for number, vault in enumerate(self._readable):
            async with self.run.scope() as session:
                types = await types_of(session, self.principal, vault.id)
                links = await links_of(session, self.principal, vault.id)
            about = {"id": str(vault.id), "name": vault.name, "kind": vault.kind, "types": types, "links": links}
            about["documents"] = files[vault.id]
            yield (b"," if number else b"") + orjson.dumps(about)[:-1] + b',"items":['
            first = True
            async for batch in _batched(self._items(vault), lambda item: orjson.dumps(item)):
                yield (b"" if first else b",") + b",".join(batch)
                first = False
            yield b"]}"
        yield b"]}\n"

    async def _html(self, files: dict[UUID, list[dict[str, Any]]]) -> AsyncIterator[bytes]:
        yield pages.HEAD.encode()
        for vault in self._readable:
            documents = "".join(piece for each in files[vault.id] for piece in pages.shown_document(each))
            yield (pages.vault_begins({"name": vault.name}) + documents).encode()
            items = items_of(self.run.scope, self.principal, vault.id)
            async for batch in _batched(items, lambda item: pages.shown_item(_plain(item)).encode()):
                yield b"".join(batch)
        yield pages.FOOT.encode()

    def _manifest(self, archive: ZipStream) -> bytes:
        files = [{"path": each.path, "size": each.size, "sha256": each.sha256} for each in archive.entries]
        content = {"format": FORMAT, "version": FORMAT_VERSION, "created_at": self.now, "files": files}
        return orjson.dumps(content, option=orjson.OPT_INDENT_2)

    async def _items(self, vault: VaultRead) -> AsyncIterator[dict[str, Any]]:
        async for item in items_of(self.run.scope, self.principal, vault.id):
            yield item
            await self._step()

    async def _count(self) -> None:
        async with self.run.scope() as session:
            counts = [await count_all(session, self.principal, vault.id) for vault in self._readable]
        self._total = sum(counts)
        await self.run.progress("writing", 0, self._total)

    async def _step(self) -> None:
        self._done += 1
        if self._done % PROGRESS_EVERY == 0:
            await self.run.progress("writing", min(self._done, self._total), self._total)


def _plain(item: dict[str, Any]) -> Any:
    return orjson.loads(orjson.dumps(item))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _batched(
    items: AsyncIterator[dict[str, Any]], encode: Callable[[dict[str, Any]], bytes]
) -> AsyncIterator[list[bytes]]:
    """What the items are written as, some at once."""
    batch: list[bytes] = []
    size = 0
    async for item in items:
        batch.append(encode(item))
        size += len(batch[-1])
        if size > PIECE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
