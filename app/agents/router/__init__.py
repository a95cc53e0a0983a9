"""Routes of agents."""

from fastapi import APIRouter

from app.agents.checks.router import router as checks
from app.agents.intake.router import router as intake
from app.agents.router import agents, fronts, keeping, runs, sockets

router = APIRouter(tags=["agents"])
for each in (  # the paths with fixed words first
    checks,
    intake,
    runs.router,
    sockets.router,
    fronts.router,
    keeping.router,
    agents.router,
):
    router.include_router(each)
