"""The routes of sealed accounts and vaults."""

from app.api.routes import Router
from app.vault.sealed.router import accounts, files, items, members, vaults

router = Router(prefix="/sealed")
for part in (accounts, vaults, members, items, files):
    router.include_router(part.router)
