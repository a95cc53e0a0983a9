"""One pass over the entries of an import.

An entry is known by the import and its place in the file. What it became is a row of the transaction in which it did,
so a pass that begins anew goes on with those that have none. Plain records go many to a transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from uuid import UUID
from zipfile import ZipFile

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.config import Settings
from app.core.errors import AppError
from app.db.keys import KeyRing
from app.db.runtime import current
from app.jobs.service import JobRun
from app.payments.errors import PlanLimitReached
from app.vault.cells import ring_of, seal_body
from app.vault.errors import EmptyFile, FileTooLarge, LimitReached
from app.vault.importing.entries import DocumentEntry, Entry, ItemEntry, Parsed, RefusedEntry, SourceFile
from app.vault.importing.opening import BROKEN, Limits, open_archive
from app.vault.models.files import import_entries, imports
from app.vault.policy import require
from app.vault.relations import STORED
from app.vault.service.bringing import (
    PART_OF,
    LinkEnds,
    bring_document,
    bring_items,
    bring_links,
    bring_types,
    digest_of,
    digests_in,
    has_document,
    room_for_items,
)
from app.vault.service.content import StoredFile, stored_file

ENTRIES_AT_ONCE: Final = 100
PIECE_BYTES: Final = 256 * 1024


class FileMissingInArchive(Exception):
    """The archive names a file that is not in it, or can't be unpacked."""


def limits_of(settings: Settings) -> Limits:
    """How much one import may be."""
    return Limits(settings.import_max_text_bytes, settings.import_max_unpacked_bytes, settings.import_max_entries)


def person_of(row: Any) -> Principal:
    """Whose import it is."""
    return Principal(row["user_id"], frozenset({"vault:read", "vault:write"}))


@dataclass(slots=True)
class Importing:
    """One pass over the entries of a file."""

    run: JobRun
    row: Any
    parsed: Parsed
    reader: BinaryIO
    _archive: ZipFile | None = None
    _seen: set[bytes] = field(default_factory=set)
    _documents: set[UUID] = field(default_factory=set)
    _types: dict[str, str] = field(default_factory=dict)
    _done: int = 0

    @property
    def principal(self) -> Principal:
        """Whose import it is; what they may do is asked in every transaction."""
        return person_of(self.row)

    @property
    def vault_id(self) -> UUID:
        """Where everything goes."""
        vault_id: UUID = self.row["vault_id"]
        return vault_id

    async def all(self) -> None:
        """Every entry that an earlier try has not come to. Raises `VaultNotFound`, `RoleTooLow`, `LeaseLost`."""
        left = await self._left()
        plain: list[tuple[int, Entry]] = []
        for ordinal, entry in left:
            if isinstance(entry, DocumentEntry) or (isinstance(entry, ItemEntry) and entry.files):
                await self._together(plain)
                plain = []
                await self._with_files(ordinal, entry)
            else:
                plain.append((ordinal, entry))
            if len(plain) >= ENTRIES_AT_ONCE:
                await self._together(plain)
                plain = []
        await self._together(plain)
        await self._relate()

    async def _relate(self) -> None:
        """Relate what was brought as it was related where it comes from."""
        links = self.parsed.links
        if not links:
            return
        names = "ordinal", "item_id", "document_id"
        mine = import_entries.c.import_id == self.row["id"], import_entries.c.outcome == "imported"
        async with self.run.scope() as session:
            ring = await self._ring(session)
            things: dict[str, tuple[str, UUID]] = {}
            for ordinal, item_id, document_id in await session.execute(
                select(*(import_entries.c[name] for name in names)).where(*mine)
            ):
                entry = self.parsed.entries[ordinal]
                if not isinstance(entry, RefusedEntry):
                    things[entry.key] = ("item", item_id) if item_id else ("document", document_id)
            ends = [
                LinkEnds(*things[link.source], *things[link.target], link.relation, link.label)
                for link in links
                if link.source in things and link.target in things and link.relation in STORED
            ]
            await bring_links(session, self.principal, ring, self.vault_id, ends)

    async def _left(self) -> list[tuple[int, Entry]]:
        """The entries to come, in order, and what the vault held before this import."""
        entries = self.parsed.entries
        known = import_entries.c.import_id == self.row["id"]
        async with self.run.scope() as session:
            ring = await self._ring(session)
            values = {"format": self.parsed.format, "total": len(entries)}
            await session.execute(update(imports).where(imports.c.id == self.row["id"]).values(values))
            columns = import_entries.c.ordinal, import_entries.c.item_id, import_entries.c.document_id
            done = (await session.execute(select(*columns).where(known))).all()
            own = {row.item_id for row in done} if self.parsed.repeats else set[UUID]()
            self._documents = {row.document_id for row in done} if self.parsed.repeats else set()
            self._types = await bring_types(session, self.principal, ring, self.vault_id, self.parsed.types)
            self._seen = await digests_in(session, ring, self.vault_id, own)
        finished = {row.ordinal for row in done}
        self._done = len(finished)
        return [(number, entry) for number, entry in enumerate(entries) if number not in finished]

    async def _ring(self, session: AsyncSession) -> KeyRing:
        """The keys of the vault, if the person may still write to it. Raises `VaultNotFound`, `RoleTooLow`."""
        await require(session, self.principal, self.vault_id, "write")
        return await ring_of(session, self.vault_id)

    async def _together(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Records without files: all of them in one transaction."""
        if not entries:
            return
        outcomes: list[dict[str, Any]] = []
        new: list[tuple[int, ItemEntry]] = []
        for ordinal, entry in entries:
            if isinstance(entry, RefusedEntry):
                outcomes.append(_outcome(ordinal, entry.title, "refused", entry.reason, entry.detail))
            elif isinstance(entry, ItemEntry) and self._is_repeated(entry):
                outcomes.append(_outcome(ordinal, entry.title, "duplicate"))
            elif isinstance(entry, ItemEntry):
                new.append((ordinal, entry))
        async with self.run.scope() as session:
            ring = await self._ring(session)
            room = await room_for_items(session, self.vault_id, len(new))
            brought = [entry for _, entry in new[:room]]
            item_ids = await bring_items(session, self.principal, ring, self.vault_id, brought, self._types)
            for (ordinal, entry), item_id in zip(new, item_ids, strict=False):
                outcomes.append(_outcome(ordinal, entry.title, "imported", item_id=item_id))
            for ordinal, entry in new[room:]:
                outcomes.append(_outcome(ordinal, entry.title, "refused", *_refusal(LimitReached())))
            await self._keep(session, ring, outcomes)
        await self._progress(len(entries))

    def _is_repeated(self, entry: ItemEntry) -> bool:
        """Whether the vault had an equal record, or the file has had it before; the trash does not count."""
        if entry.trashed:
            return False
        digest = digest_of(self._types.get(entry.type, entry.type), entry.content)
        if digest in self._seen:
            return True
        if not self.parsed.repeats:
            self._seen.add(digest)
        return False

    async def _with_files(self, ordinal: int, entry: ItemEntry | DocumentEntry) -> None:
        """A document, or a record with attachments: one transaction for all of it."""
        if isinstance(entry, ItemEntry) and self._is_repeated(entry):
            await self._tell(_outcome(ordinal, entry.title, "duplicate"))
        else:
            try:
                async with AsyncExitStack() as stack:
                    files, problems = await self._stored(stack, entry)
                    async with self.run.scope() as session:
                        await self._bring(session, ordinal, entry, files, problems)
            except (LimitReached, PlanLimitReached) as error:
                await self._tell(_outcome(ordinal, entry.title, "refused", *_refusal(error)))
        await self._progress(1)

    async def _bring(
        self,
        session: AsyncSession,
        ordinal: int,
        entry: ItemEntry | DocumentEntry,
        files: Sequence[tuple[SourceFile, StoredFile]],
        problems: list[str],
    ) -> None:
        """Raises `LimitReached`, `PlanLimitReached`, `VaultNotFound`, `RoleTooLow`."""
        ring, detail = await self._ring(session), "\n".join(problems)
        if isinstance(entry, DocumentEntry):
            outcome = await self._bring_document(session, ring, ordinal, entry, files, detail)
        else:
            if not await room_for_items(session, self.vault_id, 1):
                raise LimitReached
            [item_id] = await bring_items(session, self.principal, ring, self.vault_id, [entry], self._types)
            links = []
            for source, file in files:
                alone = DocumentEntry(file.name, (source,), tuple(entry.content["tags"]), trashed=entry.trashed)
                document_id = await bring_document(session, self.principal, self.vault_id, alone, [file])
                links.append(LinkEnds("document", document_id, "item", item_id, PART_OF))
            await bring_links(session, self.principal, ring, self.vault_id, links)
            first = links[0].source_id if links else None
            outcome = _outcome(ordinal, entry.title, "imported", detail=detail, item_id=item_id, document_id=first)
        await self._keep(session, ring, [outcome])

    async def _bring_document(
        self,
        session: AsyncSession,
        ring: KeyRing,
        ordinal: int,
        entry: DocumentEntry,
        files: Sequence[tuple[SourceFile, StoredFile]],
        detail: str,
    ) -> dict[str, Any]:
        if not files:
            return _outcome(ordinal, entry.title, "refused", "no-file", detail)
        known = ring, self.vault_id, entry.title, files[-1][1].sha256
        if not entry.trashed and await has_document(session, *known, besides=self._documents):
            return _outcome(ordinal, entry.title, "duplicate")
        stored = [file for _, file in files]
        kept = DocumentEntry(entry.title, tuple(source for source, _ in files), entry.tags, **_besides(entry))
        document_id = await bring_document(session, self.principal, self.vault_id, kept, stored)
        self._documents.update({document_id} if self.parsed.repeats else ())
        return _outcome(ordinal, entry.title, "imported", detail=detail, document_id=document_id)

    async def _stored(
        self, stack: AsyncExitStack, entry: ItemEntry | DocumentEntry
    ) -> tuple[list[tuple[SourceFile, StoredFile]], list[str]]:
        """The files of an entry, stored; and which could not be, and why."""
        files: list[tuple[SourceFile, StoredFile]] = []
        problems: list[str] = []
        for source in entry.files:
            try:
                file = await stack.enter_async_context(stored_file(self._unpacked(source), source.name))
                files.append((source, file))
            except (EmptyFile, FileTooLarge) as error:
                problems.append(f"Left out: {source.name} ({error.title})")
            except FileMissingInArchive:
                problems.append(f"Left out: {source.name} (not in the archive, or damaged there)")
        return files, problems

    async def _unpacked(self, source: SourceFile) -> AsyncIterator[bytes]:
        """A file of the archive. Raises `FileMissingInArchive`."""
        try:
            if self._archive is None:
                self._archive = await asyncio.to_thread(open_archive, self.reader, limits_of(current().settings))
            member = await asyncio.to_thread(self._archive.open, source.path)
            while piece := await asyncio.to_thread(member.read, PIECE_BYTES):
                yield piece
        except (*BROKEN, KeyError):
            raise FileMissingInArchive from None

    async def _tell(self, outcome: dict[str, Any]) -> None:
        async with self.run.scope() as session:
            await self._keep(session, await self._ring(session), [outcome])

    async def _keep(self, session: AsyncSession, ring: KeyRing, outcomes: list[dict[str, Any]]) -> None:
        """Write what became of entries, in the transaction in which they did."""
        rows = []
        for outcome in sorted(outcomes, key=lambda each: int(each["ordinal"])):
            entry_id = new_id()
            told = {"title": outcome["title"], "detail": outcome["detail"]}
            names = ("ordinal", "outcome", "reason", "item_id", "document_id")
            ids = {"id": entry_id, "vault_id": self.vault_id, "import_id": self.row["id"]}
            body = seal_body(ring, import_entries, entry_id, told)
            rows.append({**ids, "body": body, **{name: outcome[name] for name in names}})
        if rows:
            await session.execute(insert(import_entries), rows)

    async def _progress(self, count: int) -> None:
        self._done += count
        await self.run.progress("importing", self._done, len(self.parsed.entries))


def _besides(entry: DocumentEntry) -> dict[str, Any]:
    """What a document has of the past."""
    return {name: getattr(entry, name) for name in ("revision", "created_at", "updated_at", "trashed")}


def _refusal(error: AppError) -> tuple[str, str]:
    return error.code(), error.title


def _outcome(
    ordinal: int,
    title: str,
    outcome: str,
    reason: str | None = None,
    detail: str = "",
    *,
    item_id: UUID | None = None,
    document_id: UUID | None = None,
) -> dict[str, Any]:
    ids = {"item_id": item_id, "document_id": document_id}
    return {"ordinal": ordinal, "title": title, "outcome": outcome, "reason": reason, "detail": detail, **ids}
