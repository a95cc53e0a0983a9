"""The routes of sealed accounts and vaults."""

from fastapi import APIRouter

from app.vault.sealed.router import accounts, files, items, members, vaults

router = APIRouter(prefix="/sealed")
for part in (accounts, vaults, members, items, files):
    router.include_router(part.router)
