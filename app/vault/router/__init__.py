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
from app.vault.router import activity, documents, downloads, items, members, transfers, uploads, vaults

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (vaults, members, transfers, activity, items, documents, uploads, downloads):
    router.include_router(part.router)
