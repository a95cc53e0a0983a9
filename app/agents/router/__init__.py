"""Routes of agents."""

from fastapi import APIRouter

from app.agents.intake.router import router as intake
from app.agents.router import agents, keeping, runs, sockets

router = APIRouter(tags=["agents"])
for each in (intake, runs.router, sockets.router, keeping.router, agents.router):  # the paths with fixed words first
    router.include_router(each)
