"""Whether the process lives, whether its parts answer, and what it measured."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from typing import Literal

from fastapi import Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from sqlalchemy import text
from starlette.responses import Response

from app.api.deps import SettingsDep
from app.api.problems import problems
from app.api.routes import Router
from app.core import breaker
from app.core.errors import NotFound
from app.core.metrics import exposition
from app.core.schemas import ResponseModel
from app.db.replicas import Replica
from app.db.runtime import current

PROBE_SECONDS = 3.0

router = Router(tags=["health"])


class MetricsHidden(NotFound):
    """Metrics are shown to this machine, or for the metrics token."""

    title = "Not found"


class ReplicaBehind(Exception):
    """It is too far behind, or follows nobody."""


class Live(ResponseModel):
    """The process answers. `release` is what was deployed, if it was given a name."""

    status: Literal["ok"]
    release: str = Field(examples=["2026.11.29-2d6c4f4"])


class Ready(ResponseModel):
    """Whether each part answers; models are among them while they do not. `degraded`: requests are served."""

    status: Literal["ok", "degraded", "down"]
    parts: dict[str, Literal["ok", "down", "not configured"]]


@router.get("/health/live")
async def live(settings: SettingsDep) -> Live:
    """Tell that the process lives, and which release it is."""
    return Live(status="ok", release=settings.release)


@router.get(
    "/health/ready", responses={503: {"model": Ready, "description": "A part that every request needs is down."}}
)
async def ready(response: Response) -> Ready:
    """Tell which parts answer; 503 when requests can't be served."""
    runtime = current()
    replicas = runtime.replicas.all if runtime.replicas else []
    names = ("database", "blobs", "queue", *(replica.name for replica in replicas))
    asked = (_probe(partial(_replica, replica)) for replica in replicas)
    states = await asyncio.gather(_probe(_database), _probe(runtime.blobs.check), _queue(), *asked)
    parts: dict[str, Literal["ok", "down", "not configured"]] = dict(zip(names, states, strict=True))
    parts.update({service: "down" for service, closed in breaker.states().items() if not closed})
    if "down" in (parts["database"], parts["blobs"]):
        response.status_code = 503
        response.headers["Retry-After"] = "2"
        return Ready(status="down", parts=parts)
    failing = "down" in parts.values() or parts["queue"] != "ok"
    return Ready(status="degraded" if failing else "ok", parts=parts)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(MetricsHidden)},
)
async def metrics(request: Request, settings: SettingsDep) -> Response:
    """Show measurements in the Prometheus text format, to this machine or for the metrics token."""
    if not _may_see_metrics(request, settings.metrics_token.get_secret_value()):
        raise MetricsHidden
    return Response(await exposition(), media_type=CONTENT_TYPE_LATEST)


def _may_see_metrics(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token:
        return hmac.compare_digest(given.encode(), token.encode())
    host = request.client.host if request.client else ""
    try:
        return ip_address(host).is_loopback and "x-forwarded-for" not in request.headers
    except ValueError:
        return False


async def _probe(check: Callable[[], Awaitable[object]]) -> Literal["ok", "down"]:
    try:
        await asyncio.wait_for(check(), PROBE_SECONDS)
    except Exception:  # whatever the reason, the part is down
        return "down"
    return "ok"


async def _database() -> None:
    """Asked even while no request is let through to it; an answer opens the way again."""
    runtime = current()
    async with runtime.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    runtime.gate.answered()


async def _replica(replica: Replica) -> None:
    """Raises if it can't be read from."""
    runtime = current()
    assert runtime.replicas is not None  # noqa: S101
    seen = await runtime.replicas.look(runtime.engine, replica)
    if not seen.follows or seen.behind_seconds > runtime.settings.replica_lag_seconds:
        raise ReplicaBehind


async def _queue() -> Literal["ok", "down", "not configured"]:
    redis = current().redis
    return await _probe(redis.ping) if redis else "not configured"
