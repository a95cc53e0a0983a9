"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import documents, downloads, items, members, tus, uploads, vaults

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (vaults, members, items, documents, uploads, tus, downloads):
    router.include_router(part.router)
