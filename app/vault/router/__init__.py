"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import documents, downloads, exports, items, members, tus, uploads, vaults

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (vaults, members, items, documents, uploads, tus, downloads, exports):
    router.include_router(part.router)
