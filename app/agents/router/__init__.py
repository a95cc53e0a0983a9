"""Routes of agents."""

from app.agents import tasks
from app.agents.checks.router import router as checks
from app.agents.intake.router import router as intake
from app.agents.router import agents, fronts, keeping, runs, sockets
from app.api.routes import Router

__all__ = ["router", "tasks"]  # runs that somebody waits for are worked on in this process, by the task of their kind

router = Router(tags=["agents"])
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
