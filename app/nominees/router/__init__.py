"""The routes of legacy."""

from fastapi import APIRouter

from app.nominees.router import cases, desk, drills, keys, links, people, plans, public, released, visit

router = APIRouter(prefix="/nominees", tags=["nominees"])
for part in (people, plans, cases, drills, keys, public, visit, released, links, desk):
    router.include_router(part.router)
