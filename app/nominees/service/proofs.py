"""Proofs in a release case, such as a death certificate: stored sealed like documents, read by who decides.

Those are the owner, the nominees of the plan and its trusted person.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.blobs import BlobMissing
from app.core.crypto import SealBroken
from app.core.streams import SealedFile, open_range
from app.db.acting import acting_for
from app.db.runtime import current
from app.nominees.cells import open_row, open_rows, owner_ring, seal_body
from app.nominees.errors import CaseIsOver, ProofNotFound, TooManyProofs
from app.nominees.machine import BEFORE_RELEASE
from app.nominees.models import attestations, proofs
from app.nominees.policy import case_for, owned_case
from app.nominees.schemas.cases import AttestationRead, ProofRead
from app.nominees.service.guests import Guest
from app.nominees.service.noting import note
from app.vault import service as vaults
from app.vault.errors import ContentDamaged


@dataclass(frozen=True, slots=True)
class ProofContent:
    """The file of a proof, ready to be read."""

    name: str
    media_type: str
    size: int
    file: SealedFile
    blob_name: str

    async def chunks(self) -> AsyncIterator[bytes]:
        """The plaintext, some hundred KiB at a time. Raises `ContentDamaged`."""
        try:
            async for chunk in open_range(self.file, self._fetch, 0, self.size):
                yield chunk
        except (SealBroken, BlobMissing):
            raise ContentDamaged from None

    async def _fetch(self, start: int, end: int) -> bytes:
        return await current().blobs.get(self.blob_name, start, end)


async def require_proof_room(session: AsyncSession, guest: Guest, case_id: UUID) -> None:
    """See that a guest may bring a proof into a case. Raises `CaseNotFound`, `CaseIsOver`, `TooManyProofs`."""
    async with acting_for(session, guest.owner):
        row = await case_for(session, guest.nominee_id, case_id)
        if row["state"] not in BEFORE_RELEASE:
            raise CaseIsOver
        held = select(func.count()).select_from(proofs).where(proofs.c.case_id == case_id)
        if (await session.scalar(held) or 0) >= current().settings.proofs_per_case:
            raise TooManyProofs


async def add_proof(session: AsyncSession, guest: Guest, case_id: UUID, file: vaults.StoredFile) -> ProofRead:
    """Bring a stored file into a case. Raises `CaseNotFound`, `CaseIsOver`, `TooManyProofs`."""
    await require_proof_room(session, guest, case_id)
    content = {"key": file.key.hex(), "name": file.name, "sha256": file.sha256.hex(), "chunk_bytes": file.chunk_bytes}
    async with acting_for(session, guest.owner):
        ring = await owner_ring(session, guest.owner_id)
        values = {
            "id": file.version_id,
            "user_id": guest.owner_id,
            "case_id": case_id,
            "nominee_id": guest.nominee_id,
            "media_type": file.media_type,
            "size": file.size,
            "blob_name": file.blob_name,
            "body": seal_body(ring, proofs, file.version_id, content),
        }
        row = (await session.execute(insert(proofs).values(values).returning(proofs))).mappings().one()
        await note(session, guest.principal, guest.owner_id, "proof_added", file.version_id, case_id=case_id)
        return _read(row, content)


async def proofs_of(session: AsyncSession, case_id: UUID) -> list[ProofRead]:
    """The proofs in a case, the first to come first."""
    statement = select(proofs).where(proofs.c.case_id == case_id).order_by(proofs.c.id)
    rows = (await session.execute(statement)).mappings().all()
    return [_read(row, content) for row, content in zip(rows, await open_rows(session, proofs, rows), strict=True)]


def _read(row: Any, content: Any) -> ProofRead:
    return ProofRead.model_validate({**row, "name": content["name"], "sha256": content["sha256"]})


async def attestations_of(session: AsyncSession, case_id: UUID) -> list[AttestationRead]:
    """Who attested in a case, the first to do so first."""
    statement = select(attestations).where(attestations.c.case_id == case_id).order_by(attestations.c.id)
    rows = (await session.execute(statement)).mappings().all()
    opened = await open_rows(session, attestations, rows)
    return [AttestationRead.model_validate({**row, **content}) for row, content in zip(rows, opened, strict=True)]


async def open_proof(session: AsyncSession, guest: Guest, case_id: UUID, proof_id: UUID) -> ProofContent:
    """A proof in a case of a plan that names the guest. Raises `CaseNotFound`, `ProofNotFound`."""
    async with acting_for(session, guest.owner):
        await case_for(session, guest.nominee_id, case_id)
        return await _content(session, case_id, proof_id)


async def open_own_proof(session: AsyncSession, principal: Principal, case_id: UUID, proof_id: UUID) -> ProofContent:
    """A proof in a case of the principal's. Raises `CaseNotFound`, `ProofNotFound`."""
    await owned_case(session, principal, case_id)
    return await _content(session, case_id, proof_id)


async def _content(session: AsyncSession, case_id: UUID, proof_id: UUID) -> ProofContent:
    statement = select(proofs).where(proofs.c.id == proof_id, proofs.c.case_id == case_id)
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise ProofNotFound
    content = await open_row(session, proofs, row)
    file = SealedFile(row["id"], bytes.fromhex(content["key"]), row["size"], content["chunk_bytes"])
    return ProofContent(content["name"], row["media_type"], row["size"], file, row["blob_name"])
