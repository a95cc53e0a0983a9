"""The routes of legacy."""

from app.api.routes import Router
from app.nominees.router import cases, desk, drills, keys, links, people, plans, public, released, visit

router = Router(prefix="/nominees", tags=["nominees"])
for part in (people, plans, cases, drills, keys, public, visit, released, links, desk):
    router.include_router(part.router)
