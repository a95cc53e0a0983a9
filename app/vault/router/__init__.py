"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import (
    changes,
    documents,
    downloads,
    items,
    links,
    members,
    search,
    share_page,
    shares,
    types,
    uploads,
    vaults,
)

router = APIRouter(prefix="/vault", tags=["vault"])
PARTS = (vaults, members, types, items, changes, links, search, share_page, shares, documents, uploads, downloads)
for part in PARTS:
    router.include_router(part.router)
