"""Routes of files of sealed vaults."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request, Response

from app.api.deps import SessionDep
from app.api.limits import BodyTooLarge
from app.api.problems import problems
from app.api.routes import Router
from app.payments.errors import PlanLimitReached
from app.vault.errors import ContentDamaged, LimitReached, RoleTooLow, UploadInterrupted, VaultNotFound
from app.vault.router.access import Reader, Writer
from app.vault.router.uploads import body_of
from app.vault.sealed import service
from app.vault.sealed.errors import (
    ChunkExists,
    SealedFileNotFound,
    SealedInvalid,
    SealedTooLarge,
    UnknownSuite,
    VaultNotSealed,
)

router = Router(prefix="/vaults/{vault_id}/files/{file_id}")

OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
CHUNK = {"description": "The chunk, sealed", "content": OCTETS}

Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="The index of the chunk, from 0.")]


@router.put(
    "/chunks/{number}",
    status_code=204,
    responses=problems(
        *(VaultNotFound, VaultNotSealed, RoleTooLow, ChunkExists, LimitReached, PlanLimitReached),
        *(SealedTooLarge, BodyTooLarge, UnknownSuite, SealedInvalid, UploadInterrupted),
    ),
    openapi_extra={"requestBody": {"required": True, "content": OCTETS}},
)
async def put_sealed_chunk(
    vault_id: UUID, file_id: UUID, number: Number, request: Request, principal: Writer, session: SessionDep
) -> None:
    """Write one chunk of a file, sealed by suite LV1. It is kept whole or not at all; the same one may be sent again.

    Which file it is, and how many chunks it has, a sealed item says. The bytes count for the plan of the vault's owner.
    """
    await service.put_chunk(session, principal, vault_id, file_id, number, body_of(request))


@router.get(
    "/chunks/{number}",
    response_class=Response,
    responses={200: CHUNK, **problems(VaultNotFound, VaultNotSealed, SealedFileNotFound, ContentDamaged)},
)
async def read_sealed_chunk(
    vault_id: UUID, file_id: UUID, number: Number, principal: Reader, session: SessionDep
) -> Response:
    """Read one chunk of a file."""
    content = await service.read_chunk(session, principal, vault_id, file_id, number)
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


@router.delete("", status_code=204, responses=problems(VaultNotFound, VaultNotSealed, RoleTooLow, SealedFileNotFound))
async def delete_sealed_file(vault_id: UUID, file_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Destroy all chunks of a file. This can't be undone."""
    await service.delete_file(session, principal, vault_id, file_id)
