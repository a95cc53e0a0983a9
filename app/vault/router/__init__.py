"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import content, documents, items, members, vaults

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (vaults, members, items, documents, content):
    router.include_router(part.router)
