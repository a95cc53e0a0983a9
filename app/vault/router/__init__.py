"""The routes of vaults."""

from fastapi import APIRouter

from app.vault.router import (
    activity,
    changes,
    documents,
    downloads,
    items,
    links,
    members,
    search,
    share_page,
    shares,
    transfers,
    types,
    uploads,
    vaults,
)

router = APIRouter(prefix="/vault", tags=["vault"])
for part in (
    vaults,
    members,
    transfers,
    activity,
    types,
    items,
    changes,
    links,
    search,
    share_page,
    shares,
    documents,
    uploads,
    downloads,
):
    router.include_router(part.router)
