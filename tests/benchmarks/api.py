"""Processor time of the API: `python -m tests.benchmarks.api [--vaults N] [--items N] [--requests N] [--json]`.

Both applications run in this process, without a socket in between, on the same PostgreSQL: LifeVault as it is (sign-in,
row-level security, decryption, logs and metrics on) and a bare Starlette application on asyncpg with the same rows in
clear, which checks a bearer token by HMAC and lets PostgreSQL make the JSON. Given is the time of this process for one
request, in microseconds (best of many short rounds that the applications take in turn, as whatever else runs disturbs
some), and the ratio to the bare application. What logs and metrics cost is the difference to LifeVault without its
outermost layer.
"""

import argparse
import asyncio
import base64
import gc
import hashlib
import hmac
import json
import math
import secrets
import sys
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.observe import Observe
from app.core.clock import new_id
from app.db.runtime import close_runtime, open_runtime
from app.main import create_app
from tests.benchmarks.place import Place, own_place

ROUNDS = 50
NOTES = "x" * 700
GOALS = {"list 20": 4, "get": 4, "create": 4}


@dataclass(frozen=True)
class Asked:
    """A request, and the status of its answer."""

    method: str
    path: str
    status: int = 200
    body: bytes = b""


@dataclass(frozen=True)
class Target:
    """An application with the requests that are timed, by kind."""

    app: Any
    headers: list[tuple[bytes, bytes]]
    asked: dict[str, Asked]


async def call(target: Target, kind: str) -> None:
    """One request straight into the application."""
    asked = target.asked[kind]
    raw_path, _, query = asked.path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [*target.headers, (b"content-length", b"%d" % len(asked.body))],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    chunks: list[bytes] = []
    status = 0
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)
        chunks.append(message.get("body", b""))

    await target.app(scope, receive, send)
    if status != asked.status:
        raise SystemExit(f"status {status}: {b''.join(chunks)[:300]!r}")


async def bare_target(url: str, vaults: int, items: int) -> Target:
    """The baseline: Starlette, asyncpg, JSON made by PostgreSQL, a token checked by HMAC."""
    pool = await asyncpg.create_pool(url, min_size=2, max_size=4)
    async with pool.acquire() as connection:
        await connection.execute(
            "CREATE TABLE bare_items (id uuid PRIMARY KEY, vault_id uuid NOT NULL, body jsonb NOT NULL)"
        )
        ids = [new_id() for _ in range(vaults)]
        body = json.dumps({"title": "Car insurance", "fields": {"number": "A-1"}, "notes": NOTES, "tags": ["car"]})
        rows = [(new_id(), vault, body) for vault in ids for _ in range(items)]
        await connection.copy_records_to_table("bare_items", records=rows, columns=["id", "vault_id", "body"])
        await connection.execute("CREATE INDEX ON bare_items (vault_id, id)")
        await connection.execute("ANALYZE bare_items")
    key = secrets.token_bytes(32)
    token = base64.urlsafe_b64encode(b"user") + b"." + hmac.digest(key, b"user", "sha256").hex().encode()

    def check(request: Request) -> None:
        user, _, mac = request.headers["authorization"].removeprefix("Bearer ").partition(".")
        expected = hmac.new(key, base64.urlsafe_b64decode(user), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(mac, expected):
            raise PermissionError

    async def list_items(request: Request) -> Response:
        check(request)
        found = await pool.fetchval(
            "SELECT json_agg(t) FROM (SELECT id, body FROM bare_items WHERE vault_id = $1 ORDER BY id LIMIT 20) t",
            UUID(request.query_params["vault_id"]),
        )
        return Response(found, media_type="application/json")

    async def get_item(request: Request) -> Response:
        check(request)
        found = await pool.fetchval(
            "SELECT row_to_json(t) FROM (SELECT id, body FROM bare_items WHERE id = $1) t",
            UUID(request.path_params["id"]),
        )
        return Response(found, media_type="application/json")

    async def create_item(request: Request) -> Response:
        check(request)
        data = orjson.loads(await request.body())
        found = await pool.fetchval(
            "INSERT INTO bare_items VALUES ($1, $2, $3) RETURNING json_build_object('id', id)",
            new_id(),
            UUID(data["vault_id"]),
            orjson.dumps(data).decode(),
        )
        return Response(found, 201, media_type="application/json")

    routes = [
        Route("/items", list_items),
        Route("/items", create_item, methods=["POST"]),
        Route("/items/{id}", get_item),
    ]
    vault = rows[len(rows) // 2][1]
    data = {"vault_id": str(vault), "title": "Car insurance", "notes": NOTES, "tags": ["car"]}
    return Target(
        Starlette(routes=routes),
        [(b"authorization", b"Bearer " + token), (b"content-type", b"application/json"), (b"host", b"bench")],
        {
            "list 20": Asked("GET", f"/items?vault_id={vault}&limit=20"),
            "get": Asked("GET", f"/items/{rows[len(rows) // 2][0]}"),
            "create": Asked("POST", "/items", 201, orjson.dumps(data)),
        },
    )


async def our_target(app: Any, items: int) -> Target:
    """LifeVault with a person, a vault and its items, made through the API."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
        account = {
            "email": f"{secrets.token_hex(6)}@bench.test",
            "password": secrets.token_urlsafe(16),
            "name": "Bench",
        }
        (await client.post("/v1/auth/register", json=account)).raise_for_status()
        form = {"username": account["email"], "password": account["password"]}
        token = (await client.post("/v1/auth/token", data=form)).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        vault = {"name": "Family", "kind": "personal", "tier": "assisted"}
        vault_id = (await client.post("/v1/vault/vaults", json=vault)).raise_for_status().json()["id"]
        item = {"vault_id": vault_id, "type": "secure_note", "title": "Car insurance", "notes": NOTES, "tags": ["car"]}
        item["fields"] = {}
        for _ in range(items):
            item_id = (await client.post("/v1/vault/items", json=item)).raise_for_status().json()["id"]
    return Target(
        app,
        [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json"), (b"host", b"bench")],
        {
            "list 20": Asked("GET", f"/v1/vault/items?vault_id={vault_id}&limit=20"),
            "get": Asked("GET", f"/v1/vault/items/{item_id}"),
            "create": Asked("POST", "/v1/vault/items", 201, orjson.dumps(item)),
        },
    )


async def measure(targets: dict[str, Target], count: int) -> dict[str, dict[str, float]]:
    """Microseconds of each kind of request to each application: the best of many rounds, which they take in turn."""
    best = {name: dict.fromkeys(GOALS, math.inf) for name in targets}
    for kind in GOALS:
        for _ in range(ROUNDS):
            gc.collect()
            for name, target in targets.items():
                started = time.process_time()
                for _ in range(count):
                    await call(target, kind)
                best[name][kind] = min(best[name][kind], (time.process_time() - started) / count * 1e6)
    return best


async def run(arguments: argparse.Namespace, place: Place) -> dict[str, dict[str, float]]:
    """Times of both applications and their ratios."""
    settings = place.settings()
    open_runtime(settings)
    ours = await our_target(create_app(settings), arguments.items)
    bare = await bare_target(place.postgres.superuser, arguments.vaults, arguments.items)
    unobserved = create_app(settings)
    unobserved.user_middleware[:] = [each for each in unobserved.user_middleware if each.cls is not Observe]
    targets = {"bare": bare, "lifevault": ours, "without logs, metrics": replace(ours, app=unobserved)}
    result = await measure(targets, arguments.requests)
    whole, without = result["lifevault"], result["without logs, metrics"]
    result["ratio"] = {kind: whole[kind] / result["bare"][kind] for kind in GOALS}
    result["logs, metrics"] = {kind: whole[kind] - without[kind] for kind in GOALS}
    await close_runtime()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vaults", type=int, default=200)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--requests", type=int, default=50, help="in each round")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with own_place() as place:
        result = asyncio.run(run(arguments, place))
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write(f"{'µs of processor time a request':32}{'list 20':>10}{'get':>10}{'create':>10}\n")
    for name in ("bare", "lifevault", "without logs, metrics", "logs, metrics"):
        sys.stdout.write(f"{name:32}" + "".join(f"{result[name][kind]:10.0f}" for kind in GOALS) + "\n")
    sys.stdout.write(f"{'ratio to bare':32}" + "".join(f"{result['ratio'][kind]:9.1f}×" for kind in GOALS) + "\n")
    sys.stdout.write(f"{'goal: at most':32}" + "".join(f"{goal:9}×" for goal in GOALS.values()) + "\n")


if __name__ == "__main__":
    main()
