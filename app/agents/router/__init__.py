"""Routes of agents."""

from fastapi import APIRouter

from app.agents.router import agents, fronts, keeping, runs, sockets

router = APIRouter(tags=["agents"])
for each in (
    runs.router,
    sockets.router,
    fronts.router,
    keeping.router,
    agents.router,
):  # the paths with fixed words first
    router.include_router(each)
