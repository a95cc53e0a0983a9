"""`lifevault gateway smoke`: every service asked for its health, and every route for what it is there for."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from app.core.config import Settings
from app.core.errors import AppError
from app.core.routing import RoutingTable, Service, TableFile
from app.gateway.choosing import moved
from app.gateway.headers import Headers
from app.gateway.identity import signer_of
from app.gateway.upstream import Upstream

REQUEST_ID: Final = "gateway-smoke"
SERVER_ERROR: Final = 500
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was asked for; `status` 0 if there was no answer."""

    name: str
    place: str
    status: int
    milliseconds: float
    ok: bool
    note: str = ""


def table_of(settings: Settings) -> RoutingTable:
    """The table of the settings. Raises `TableError`."""
    if settings.gateway_file is not None:
        return TableFile(settings.gateway_file).table
    return settings.gateway_table or RoutingTable()


async def check_all(settings: Settings, table: RoutingTable, *, through: str = "", token: str = "") -> list[Check]:
    """Ask every service directly, with a signature that speaks for nobody; with `through` each route by the gateway
    at that address as well, for whom `token` speaks.
    """
    checks = []
    for name, service in table.services.items():
        upstream = Upstream(name, service, signer_of(settings, name, service))
        try:
            if service.identity == "signed" and upstream.signer is None:
                checks.append(Check(f"{name} key", service.url, 0, 0, False, "LIFEVAULT_GATEWAY_KEYS has none for it"))
            targets = dict(_targets(name, service, table))
            checks += await asyncio.gather(*(_ask(upstream, what, path) for what, path in targets.items()))
        finally:
            await upstream.close()
    if through:
        checks += await _ask_gateway(table, through.rstrip("/"), token)
    return checks


def _targets(name: str, service: Service, table: RoutingTable) -> Iterator[tuple[str, str]]:
    """What is asked for at a service."""
    yield f"{name} health", service.health_path
    for route in table.routes:
        if route.service == name and route.smoke_path:
            path = moved(route.smoke_path.encode("ascii"), route.prefix, route.service_prefix)
            yield f"{route.prefix} → {name}", path.decode("ascii")


async def _ask(upstream: Upstream, name: str, path: str) -> Check:
    headers: Headers = [(b"x-request-id", REQUEST_ID.encode()), (b"accept", b"*/*")]
    if upstream.signer is not None:
        header = upstream.service.identity_header
        kind = "Bearer " if header.lower() == "authorization" else ""
        headers.append((header.encode(), f"{kind}{upstream.signer.sign(None, REQUEST_ID)}".encode()))
    started = time.perf_counter()
    try:
        response = await upstream.call("GET", path.encode("ascii"), headers, None)
        status, note = response.status_code, ""
        await response.aclose()
    except AppError as error:
        status, note = 0, error.code()
    return _checked(name, upstream.service.url + path, status, started, note)


async def _ask_gateway(table: RoutingTable, base: str, token: str) -> list[Check]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked: Mapping[str, str] = {
        **{
            f"{name} by gateway": f"/v1/gateway/{name}{service.health_path}" for name, service in table.services.items()
        },
        **{f"{route.prefix} by gateway": route.smoke_path for route in table.routes if route.smoke_path},
    }
    checks = []
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=headers) as client:
        for name, path in asked.items():
            started = time.perf_counter()
            try:
                status, note = (await client.get(base + path)).status_code, ""
            except httpx.HTTPError as error:
                status, note = 0, type(error).__name__
            checks.append(_checked(name, base + path, status, started, note))
    return checks


def _checked(name: str, place: str, status: int, started: float, note: str) -> Check:
    ok = 0 < status < SERVER_ERROR and status != NOT_FOUND
    return Check(name, place, status, round((time.perf_counter() - started) * 1_000, 1), ok, note)
