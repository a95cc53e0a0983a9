"""The routes of vaults."""

from app.api.routes import Router
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
router = Router(prefix="/vault", tags=["vault"])
for part in PARTS:
    router.include_router(part.router)
