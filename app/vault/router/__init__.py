"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import documents, downloads, exports, imports, items, members, tus, uploads, vaults

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (vaults, members, items, documents, uploads, tus, downloads, imports, exports):
    router.include_router(part.router)
