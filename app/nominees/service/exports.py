"""An export of all that an owner has, which printed sheets alone open: a ZIP within an age file.

It is made while it is sent: neither the archive nor a file of it is ever whole in memory or on a disk.
"""

import io
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.db.session import session_scope
from app.nominees import age
from app.nominees.archive import SEALED
from app.nominees.errors import LegacyKeyNotFound
from app.nominees.service.keys import legacy_public_key
from app.nominees.service.noting import note_own
from app.vault import service as vaults
from app.vault.schemas.vaults import VaultRead

PAGE: Final = 100
LONGEST_NAME: Final = 80
ABOUT: Final = b"""An export of LifeVault. Each folder is a vault: items.json has its records, the folder documents its
files, and documents.json says what they are. The folder sealed has what clients have sealed, for the same sheets.
"""


async def start_export(session: AsyncSession, principal: Principal) -> AsyncIterator[bytes]:
    """The bytes of an export for the newest legacy keys.

    Raises `StepUpRequired`, `SessionNeeded`, `LegacyKeyNotFound`.
    """
    await auth.require_recent(session, principal)
    public = await legacy_public_key(session, principal.user_id)
    if public is None:
        raise LegacyKeyNotFound
    await note_own(session, principal, "export_made", public.account)
    return age.seal(public.exchange, public.account, _archive(principal))


class _Pieces(io.RawIOBase):
    """What a ZIP is written into: taken out again as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """All that was written since the last time."""
        piece = bytes(self._written)
        self._written.clear()
        return piece


async def _archive(principal: Principal) -> AsyncIterator[bytes]:
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.txt", ABOUT)
        for number, vault in enumerate(await _owned(principal), 1):
            write = _write_sealed(principal, archive, vault.id)
            if vault.tier != vaults.SEALED:
                write = _write_vault(principal, archive, vault, f"{number:02} {_plain(vault.name)}")
            async for _ in write:
                yield pieces.taken()
    yield pieces.taken()


async def _owned(principal: Principal) -> list[VaultRead]:
    """The vaults that are the principal's to give."""
    found: list[VaultRead] = []
    last: UUID | None = None
    while True:
        async with session_scope(principal.actor) as session:
            page, last = await vaults.list_vaults(session, principal, vaults.Filters(limit=PAGE, before=last))
        found += [vault for vault in page if vault.role == "owner"]
        if last is None:
            return found


async def _write_vault(
    principal: Principal, archive: zipfile.ZipFile, vault: VaultRead, folder: str
) -> AsyncIterator[None]:
    with archive.open(f"{folder}/items.json", "w", force_zip64=True) as file:
        async for _ in _write_lines(principal, file, vaults.list_items, vault.id):
            yield
    with archive.open(f"{folder}/documents.json", "w", force_zip64=True) as file:
        async for _ in _write_lines(principal, file, vaults.list_documents, vault.id):
            yield
    async for page in _pages(principal, vaults.list_documents, vault.id):
        for document in page:
            async with session_scope(principal.actor) as session:
                content = await vaults.open_document(session, principal, document.id)
            member = zipfile.ZipInfo(f"{folder}/documents/{document.id} {_plain(content.name)}")
            with archive.open(member, "w", force_zip64=True) as file:
                async for chunk in content.chunks():
                    file.write(chunk)
                    yield


async def _write_sealed(principal: Principal, archive: zipfile.ZipFile, vault_id: UUID) -> AsyncIterator[None]:
    """What clients have sealed, as it is; the sheets open it if the vault lets their keys read."""
    async for name, blob in vaults.sealed_blobs(lambda: session_scope(principal.actor), principal, vault_id):
        if blob is not None:
            archive.writestr(f"{SEALED}/{name}", blob)
            yield


async def _write_lines(principal: Principal, file: Any, read: Any, vault_id: UUID) -> AsyncIterator[None]:
    """A JSON list, one entry in a line."""
    before = b"[\n"
    async for page in _pages(principal, read, vault_id):
        for entry in page:
            file.write(before + orjson.dumps(entry.model_dump(mode="json")))
            before = b",\n"
        yield
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")
    yield


async def _pages(principal: Principal, read: Any, vault_id: UUID) -> AsyncIterator[list[Any]]:
    last: UUID | None = None
    while True:
        async with session_scope(principal.actor) as session:
            page, last = await read(session, principal, vaults.Filters(limit=PAGE, before=last, vault_id=vault_id))
        yield page
        if last is None:
            return


def _plain(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", name).strip(" .")[-LONGEST_NAME:] or "unnamed"
