"""The house's own way from a request to an endpoint answers as FastAPI does, and commits before it answers."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.api.deps import get_principal
from app.api.rooms import Rooms
from app.api.routes import FOUND
from app.auth import service as accounts
from app.auth.errors import InvalidCredentials
from app.core.config import Settings
from app.db.runtime import Runtime
from app.db.session import SYSTEM, session_scope
from app.main import create_app
from tests.factories import TestUser, auth, make_item, make_user, make_vault

pytestmark = pytest.mark.anyio
ITEMS = "/v1/vault/items"


def http(application: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://lifevault.test")


@pytest.fixture
async def by_fastapi(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The same application, with routes that FastAPI looks through and answers itself."""
    application = create_app(runtime.settings)
    application.router.routes = application.state.rooms.all_routes()
    async with http(application) as client:
        yield client


@pytest.fixture
async def owner(runtime: Runtime) -> TestUser:
    return await make_user()


def shown(response: httpx.Response) -> tuple[int, dict[str, str], object]:
    """An answer without what is different each time."""
    headers = {
        name: value for name, value in response.headers.items() if name not in ("x-request-id", "content-length")
    }
    body: object = response.content
    if response.is_error and response.content:
        body = [(name, value) for name, value in response.json().items() if name != "request_id"]
    return response.status_code, headers, body


async def test_reads_and_refusals_are_those_of_fastapi(client, by_fastapi, owner):
    vault = await make_vault(owner)
    items = [await make_item(owner, vault, title=f"Record {number} – ü") for number in range(3)]
    reader = await make_user(scope="profile")
    item = f"{ITEMS}/{items[0].id}"
    etag = (await client.get(item, headers=auth(owner))).headers["etag"]
    requests = [
        *(("GET", path, {}) for path in (ITEMS, item, "/v1/auth/me", "/v1/vault/vaults", "/v1/vault/types")),
        *(
            ("GET", f"{ITEMS}?{query}", {})
            for query in ("limit=2", "limit=0", "limit=x&cursor=%00", "trashed=yes", "a=1")
        ),
        ("GET", f"{ITEMS}?vault_id={vault.id}&limit=1", {}),
        ("GET", f"{ITEMS}?vault_id=nothing&type={'x' * 65}", {}),
        ("GET", item, {"headers": {"If-None-Match": etag}}),
        ("GET", item, {"headers": {"If-None-Match": "x" * 201}}),
        ("GET", f"{ITEMS}/nothing", {}),
        ("GET", f"{ITEMS}/{uuid4()}", {}),
        ("GET", f"{ITEMS}/{items[0].id}/", {}),
        ("GET", f"{ITEMS}//versions", {}),
        ("GET", f"{item}/versions/0", {}),
        ("PUT", ITEMS, {}),
        ("HEAD", ITEMS, {}),
        ("OPTIONS", item, {}),
        ("GET", "/v1/nothing", {}),
        ("GET", item, {"headers": auth(reader)}),
        ("GET", item, {"headers": {"Authorization": "Basic abc"}}),
        ("GET", item, {"headers": {"Authorization": "Bearer abc"}}),
        ("POST", ITEMS, {}),
        ("POST", ITEMS, {"json": None}),
        ("POST", ITEMS, {"json": []}),
        ("POST", ITEMS, {"json": {"vault_id": "x", "title": "", "more": 1, "fields": {"": 10**30}}}),
        ("POST", ITEMS, {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", ITEMS, {"content": b'{"title": "x"}'}),
        ("POST", ITEMS, {"content": b'{"title": "x"}', "headers": {"Content-Type": "text/plain"}}),
        ("POST", ITEMS, {"content": b'{"title": "x"}', "headers": {"Content-Type": "application/merge-patch+json"}}),
        ("POST", ITEMS, {"content": b'{"title": "x"}', "headers": {"Content-Type": "Application/JSON; charset=utf-8"}}),
        ("PATCH", item, {"json": {"title": "other"}, "headers": {"If-Match": '"9"'}}),
        ("DELETE", f"{ITEMS}/{uuid4()}", {}),
    ]
    different = []
    for method, path, given in requests:
        given = {**given, "headers": {**auth(owner), **given.get("headers", {})}}
        ours, theirs = [shown(await each.request(method, path, **given)) for each in (client, by_fastapi)]
        if ours != theirs:
            different.append((method, path, ours, theirs))

    assert different == []


async def test_changes_are_those_of_fastapi(client, by_fastapi, owner):
    vault = await make_vault(owner)
    body = {"vault_id": str(vault.id), "type": "passport", "title": "P", "fields": {"number": "1"}, "tags": ["a"]}
    seen = []
    for each in (client, by_fastapi):
        made = await each.post(ITEMS, json=body, headers=auth(owner))
        path = made.headers["location"]
        changed = await each.patch(path, json={"notes": "n"}, headers={**auth(owner), "If-Match": made.headers["etag"]})
        gone = await each.delete(path, headers=auth(owner))
        assert gone.content == b""
        seen.append([(made.status_code, sorted(made.headers), list(made.json())), gone.status_code])
        seen[-1].append((changed.status_code, sorted(changed.headers), list(changed.json())))

    assert seen[0] == seen[1]
    assert (seen[0][0][0], seen[0][1], seen[0][2][0]) == (201, 204, 200)


async def test_a_commit_that_fails_is_not_answered_with_success(client, owner, postgres):
    vault = await make_vault(owner)
    name = f"refuse_{uuid4().hex}"
    admin = await asyncpg.connect(postgres.superuser)
    await admin.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;"
        f"CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON vault_items DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW WHEN (NEW.vault_id = '{vault.id}') EXECUTE FUNCTION {name}()"
    )
    body = {"vault_id": str(vault.id), "type": "secure_note", "title": "Not to be"}
    try:
        refused = await client.post(ITEMS, json=body, headers=auth(owner))
    finally:
        await admin.execute(f"DROP FUNCTION {name} CASCADE")
        await admin.close()

    assert refused.status_code == 500
    assert refused.json()["code"] == "internal-error"
    assert (await client.get(ITEMS, headers=auth(owner))).json()["items"] == []
    assert (await client.post(ITEMS, json=body, headers=auth(owner))).status_code == 201


async def test_a_session_that_ended_is_refused_by_the_next_request(client, owner):
    assert (await client.get(ITEMS, headers=auth(owner))).status_code == 200
    async with session_scope(SYSTEM) as session:
        await accounts.end(session, owner.id)

    refused = await client.get(ITEMS, headers=auth(owner))

    assert refused.status_code == 401
    assert refused.json()["code"] == "session-ended"


async def test_what_replaces_a_dependency_is_used(runtime, settings: Settings):
    async def nobody() -> None:
        raise InvalidCredentials

    application = create_app(settings)
    application.dependency_overrides[get_principal] = nobody
    async with http(application) as client:
        assert (await client.get(ITEMS)).json()["code"] == "invalid-credentials"


async def test_the_table_has_every_documented_operation(settings: Settings):
    application = create_app(settings)
    rooms: Rooms = application.state.rooms
    missing = []
    for path, methods in application.openapi()["paths"].items():
        for method in methods:
            asked = re.sub("{[^}]+}", str(uuid4()), path.replace("{number}", "1"))
            scope = {"type": "http", "method": method.upper(), "path": asked}
            _, found = rooms.matches(scope)
            if FOUND not in found or found[FOUND].path_format != path:
                missing.append((method, path))

    assert missing == []
