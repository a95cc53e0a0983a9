"""What the steps of reading leave for the next step and the next try: sealed rows, written once, under the job's lease.

Pages stay for as long as they are the text that a published index refers to; everything else goes when it is published.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.core.clock import new_id
from app.core.crypto import owner_digest
from app.db.keys import KeyRing
from app.db.runtime import current
from app.jobs.service import JobRun
from app.rag.fields.shapes import Field, encode
from app.rag.models import FIELDS, PAGE, VECTORS, Artifact
from app.rag.parsing import PageEvent
from app.rag.pipelines import FIELDS_PIPELINE
from app.rag.serving import CONTENTS, SERVES


@dataclass(frozen=True, slots=True)
class Contents:
    """How many pages a document has, which of them could not be read, and whether reading came to the end."""

    total: int = 0
    unread: tuple[int, ...] = ()
    complete: bool = False

    @classmethod
    def opened(cls, cell: bytes) -> "Contents":
        """What was written by `sealed`."""
        fields: dict[str, Any] = orjson.loads(cell)
        return cls(fields["total"], tuple(fields["unread"]), fields["complete"])

    def extended(self, events: Iterable[PageEvent]) -> "Contents":
        """With these pages."""
        events = list(events)
        unread = {*self.unread, *(event.number for event in events if event.skipped)}
        return Contents(max([self.total, *(event.total for event in events)]), tuple(sorted(unread)))

    def encoded(self) -> bytes:
        """As bytes."""
        return orjson.dumps({"total": self.total, "unread": self.unread, "complete": self.complete})


@dataclass(frozen=True, slots=True)
class Steps:
    """The kept results of one version for one pipeline."""

    run: JobRun
    vault_id: UUID
    version_id: UUID
    pipeline: str

    async def pages(self) -> tuple[Contents, dict[int, str]]:
        """What is known of all pages, and the text of those that were read."""
        kept = await self._kept(PAGE, self.pipeline)
        contents = Contents.opened(kept.pop(CONTENTS)) if CONTENTS in kept else Contents()
        return contents, {number: text.decode() for number, text in kept.items()}

    async def keep_pages(self, events: Sequence[PageEvent], contents: Contents) -> None:
        """Add pages; one that is there already stays as it is."""
        texts = {event.number: event.text.encode() for event in events}
        await self._keep(PAGE, self.pipeline, texts | {CONTENTS: contents.encoded()})

    async def keep_fields(self, found: Mapping[int, list[Field]]) -> None:
        """Add the fields of each page; that there is a sheet for all pages tells that they were looked for."""
        cells = {number: encode(fields) for number, fields in found.items()}
        await self._keep(FIELDS, FIELDS_PIPELINE, cells | {CONTENTS: encode([])})

    async def vectors_key(self, model_id: str, texts: Sequence[str]) -> str:
        """Under what vectors of exactly these texts are kept, so that those of an earlier title are not taken for them.

        It tells nothing about the texts to somebody without the key of the vault.
        """
        async with self.run.scope() as session:
            ring = await current().keys.ring(session, self.vault_id)
        digest = owner_digest(ring.current, "rag_artifacts.texts", "\0".join(texts).encode())
        return f"{self.pipeline}/{model_id}/{digest.hex()[:32]}"

    async def vectors(self, key: str) -> dict[int, bytes]:
        """Batches of vectors by their number."""
        return await self._kept(VECTORS, key)

    async def keep_vectors(self, key: str, number: int, vectors: bytes) -> None:
        """Add a batch."""
        await self._keep(VECTORS, key, {number: vectors})

    async def forget(self) -> None:
        """Drop what this version has left, but for pages that a published index refers to."""
        async with self.run.scope() as session:
            await session.execute(delete(Artifact).where(Artifact.version_id == self.version_id, ~SERVES))

    async def _kept(self, stage: str, pipeline: str) -> dict[int, bytes]:
        mine = Artifact.version_id == self.version_id, Artifact.stage == stage, Artifact.pipeline == pipeline
        async with self.run.scope() as session:
            rows = (await session.execute(select(Artifact.id, Artifact.ordinal, Artifact.body).where(*mine))).all()
            ring = await current().keys.ring(session, self.vault_id, *(row.body for row in rows))
        return {row.ordinal: ring.open("rag_artifacts", row.id, "body", row.body) for row in rows}

    async def _keep(self, stage: str, pipeline: str, contents: Mapping[int, bytes]) -> None:
        shared = {"version_id": self.version_id, "vault_id": self.vault_id, "stage": stage, "pipeline": pipeline}
        async with self.run.scope() as session:
            ring = await current().keys.ring(session, self.vault_id)
            rows = [shared | _sealed(ring, ordinal, content) for ordinal, content in contents.items()]
            statement = insert(Artifact)
            fresh = {"id": statement.excluded.id, "body": statement.excluded.body}
            sheet = (Artifact.stage == PAGE) & (Artifact.ordinal == CONTENTS)
            statement = statement.on_conflict_do_update(constraint="uq_rag_artifacts_step", set_=fresh, where=sheet)
            await session.execute(statement, rows)


def _sealed(ring: KeyRing, ordinal: int, content: bytes) -> dict[str, Any]:
    row_id = new_id()
    return {"id": row_id, "ordinal": ordinal, "body": ring.seal("rag_artifacts", row_id, "body", content)}
