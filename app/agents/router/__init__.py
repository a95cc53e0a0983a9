"""Routes of agents."""

from fastapi import APIRouter

from app.agents.checks.router import router as checks
from app.agents.intake.router import router as intake
from app.agents.router import agents, keeping, runs

router = APIRouter(tags=["agents"])
for each in (checks, intake, runs.router, keeping.router, agents.router):  # the paths with fixed words first
    router.include_router(each)
