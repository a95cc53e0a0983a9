"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import activity, documents, downloads, items, members, transfers, uploads, vaults

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (vaults, members, transfers, activity, items, documents, uploads, downloads):
    router.include_router(part.router)
