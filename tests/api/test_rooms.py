"""Rooms are imported when they are first asked for, whole and once; nothing else is."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from app.api.rooms import Room, Rooms
from app.api.routes import DeclaredRoute, Router
from app.core.config import Settings
from app.db.runtime import Runtime
from app.main import ROOMS, create_app
from tests.factories import auth, make_user

pytestmark = pytest.mark.anyio
ROUTERS = [room.module for room in ROOMS]
HEAVY = ["numpy", "pydantic_ai", "mcp", "httpx", "reportlab", "app.vault.service", "app.payments.services", "app.tasks"]
FRESH = """
import asyncio, json, sys
import httpx
def imported(names): return [name for name in names if name in sys.modules]
def found(): return {"routers": imported(ROUTERS), "heavy": imported(HEAVY)}
"""
PATHS = {
    "app.auth.router": "/v1/auth/me",
    "app.vault.router": "/v1/vault/items",
    "app.rag.router": "/v1/rag/documents/01a1fbe8-3eef-7d27-809c-9cfaba724faa/fields",
    "app.reminders.router": "/v1/reminders",
    "app.agents.router": "/v1/agents",
    "app.nominees.router": "/v1/nominees/people",
    "app.payments.router": "/v1/payments/subscription",
    "app.notifications.router": "/v1/notifications",
    "app.jobs.router": "/v1/jobs/01a1fbe8-3eef-7d27-809c-9cfaba724faa",
    "app.audit.router": "/v1/audit/me",
    "app.events.router": "/v1/events",
    "app.agents.openai.router": "/openai/v1/models",
    "app.agents.mcp.mount": "/mcp",
    "app.api.health": "/health/live",
    "app.api.docs": "/docs",
    "app.operator.router": "/operator",
}
SHARED = ("app.vault.router", "app.api.health")  # parts of them are used by other rooms
OPEN_TO_ALL = {"app.api.health": 200, "app.api.docs": 200, "app.operator.router": 404}


def fresh(code: str) -> Any:
    """What a new process prints as JSON; its database can't be reached."""
    known = f"ROUTERS, HEAVY = {ROUTERS!r}, {HEAVY!r}\n"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIFEVAULT_")}
    own = {"LIFEVAULT_DATABASE_URL": "postgresql://127.0.0.1:1/none", "LIFEVAULT_BLOB_URL": "memory:///"}
    run = subprocess.run([sys.executable, "-c", known + FRESH + code], capture_output=True, text=True, env=kept | own)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def http(application: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://lifevault.test")


def test_a_function_starts_without_any_room():
    del_httpx = "import sys; [sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] == 'httpx']\n"

    found = fresh(del_httpx + "import app.lambda_handler\nprint(json.dumps(found()))")

    assert found == {"routers": [], "heavy": []}


def test_the_worker_and_the_clock_start_without_routers_and_without_fastapi():
    found = fresh("import app.worker\nprint(json.dumps([found()['routers'], imported(['fastapi', 'numpy'])]))")

    assert found == [[], []]


def test_an_unknown_path_is_not_found_without_opening_a_room():
    asked = """
from app.main import app
async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lifevault.test") as client:
        return [(await client.get(path)).status_code for path in ("/", "/v1", "/v1/nothing/at/all", "/v1/vaults")]
print(json.dumps([asyncio.run(ask()), found()["routers"]]))
"""

    assert fresh(asked) == [[404, 404, 404, 404], []]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """What the first request to each room finds, in a fork of a process that has imported none."""
    asked = f"""
import os, traceback
from app.main import app
from app.db.runtime import open_runtime

def of(path):
    open_runtime(app.state.settings)
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lifevault.test") as client:
            return (await client.get(path)).status_code
    status, routers = asyncio.run(ask()), found()["routers"]
    from sqlalchemy.orm import configure_mappers
    from app.db.base import Base
    configure_mappers()
    targets = [key.column.table.name for table in Base.metadata.tables.values() for key in table.foreign_keys]
    from app.audit import policy
    from app.auth import acts, deletion
    from app.vault.sealed import legacy_keys
    told = [len(each) for each in (acts._recorders, deletion._objections, policy._answers, legacy_keys._finders)]
    return status, routers, len(Base.metadata.tables), len(targets) > 100, told

def all_tables(_):
    from app.models import Base
    return len(Base.metadata.tables)

def forked(work, argument):
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.write(writer, json.dumps(work(argument)).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    assert os.wait()[1] == 0, argument
    return json.loads(text)

results = {{room: forked(of, path) for room, path in {PATHS!r}.items()}}
print(json.dumps(results | {{"tables": forked(all_tables, None)}}))
"""
    results: dict[str, Any] = fresh(asked)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.module)
def test_a_room_alone_is_whole(room: Room, alone: dict[str, Any]):
    """Its first request is answered, without rooms but what it shares with; all tables are known, and who is told."""
    status, routers, *rest = alone[room.module]

    assert status == OPEN_TO_ALL.get(room.module, 401)
    assert {room.module} <= set(routers) <= {room.module, *SHARED}
    assert rest == [alone["tables"], True, [1, 1, 1, 1]]


def test_requests_that_come_while_a_room_is_imported_wait_for_it_and_others_do_not():
    asked = f"""
from app.main import app
from app.db.runtime import open_runtime
open_runtime(app.state.settings)
PATHS = {[PATHS["app.vault.router"], PATHS["app.nominees.router"], PATHS["app.auth.router"]]!r}
async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lifevault.test") as client:
        await client.get("/health/live")
        waiting = [asyncio.create_task(client.get(path)) for path in PATHS * 5]
        await asyncio.sleep(0)
        meanwhile = 0
        while not all(each.done() for each in waiting):
            assert (await client.get("/health/live")).status_code == 200
            meanwhile += 1
            await asyncio.sleep(0.001)
        return [each.result().status_code for each in waiting], meanwhile > 3
print(json.dumps([asyncio.run(ask()), sorted(found()["routers"])]))
"""
    opened = ["app.api.health", "app.auth.router", "app.nominees.router", "app.vault.router"]

    assert fresh(asked) == [[[401] * 15, True], opened]


async def test_only_the_routes_that_are_asked_for_are_made(runtime: Runtime):
    application = create_app(runtime.settings)
    person = await make_user()
    rooms: Rooms = application.state.rooms
    async with http(application) as client:
        answers = await asyncio.gather(*(client.get("/v1/auth/me", headers=auth(person)) for _ in range(5)))
        made = [route.path for route in rooms._routes() if isinstance(route, DeclaredRoute) and "made" in vars(route)]

    assert [answer.json()["email"] for answer in answers] == [person.email] * 5
    assert made == ["/v1/auth/me"]


async def test_what_is_not_a_route_of_a_closed_room_is_refused_as_in_an_open_one(runtime: Runtime):
    async def shown() -> list[tuple[int, str, str]]:
        application = create_app(runtime.settings)
        if opened:
            application.state.rooms.open_all()
        seen = []
        for method, path in (("GET", "/v1/vault/nothing"), ("DELETE", "/v1/vault/vaults"), ("GET", "/v1/jobs/")):
            async with http(application) as client:
                answer = await client.request(method, path)
            seen.append((answer.status_code, answer.headers.get("allow", ""), answer.json().get("code", "")))
        async with http(application) as client:
            moved = await client.get("/v1/notifications/unread/")
        return [*seen, (moved.status_code, moved.headers.get("location", ""), "")]

    opened = False
    first = await shown()
    opened = True

    assert first == await shown()
    assert first[0][0] == 404
    assert first[1] == (405, "GET, POST", "method-not-allowed")
    assert first[3][:2] == (307, "http://lifevault.test/v1/notifications/unread")


async def test_a_room_whose_import_fails_says_so_and_is_tried_again(runtime: Runtime, tmp_path, monkeypatch):
    application = create_app(runtime.settings)
    rooms = Rooms(application, [Room("room_of_tests", ("/v1/room",), prefix="/v1")], ())
    application.router.routes[0] = application.state.rooms = rooms
    monkeypatch.syspath_prepend(tmp_path)
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        broken = await client.get("/v1/room")
        (tmp_path / "room_of_tests.py").write_text(
            "from app.api.routes import Router\nfrom starlette.responses import Response\n"
            "router = Router(prefix='/room')\n@router.get('')\nasync def look() -> Response: return Response('in')\n"
        )
        whole = await client.get("/v1/room")

    assert (broken.status_code, broken.json()["code"]) == (500, "internal-error")
    assert (whole.status_code, whole.text) == (200, "in")


def test_every_route_lies_below_what_its_room_starts_with(settings: Settings):
    strays = []
    for room in ROOMS:
        whole = Router(prefix=room.prefix)
        whole.include_router(room.router())
        paths = [f"{route.path}/" for route in whole.routes]
        strays += [path for path in paths if not path.startswith(tuple(f"{start}/" for start in room.starts))]

    assert strays == []
