"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import (
    activity,
    changes,
    documents,
    downloads,
    exports,
    imports,
    items,
    links,
    members,
    search,
    share_page,
    shares,
    transfers,
    tus,
    types,
    uploads,
    vaults,
)
from app.vault.sealed import router as sealed

PARTS = (
    *(vaults, members, transfers, activity, types, items, changes, links, search, share_page, shares),
    *(documents, uploads, tus, downloads, imports, exports, sealed),
)
router = APIRouter(prefix="/vault", tags=["vault"])
for part in PARTS:
    router.include_router(part.router)
