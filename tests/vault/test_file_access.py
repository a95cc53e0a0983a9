"""Every route around files on their way: none without a token, none without its scope; what is done is logged."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from app.cli.embedded.postgres import PostgresUrls
from app.core.config import Settings
from app.vault import service
from tests.factories import auth, make_user
from tests.vault.conftest import Scene, rows_of, run_jobs
from tests.vault.test_file_versions import add
from tests.vault.test_imports_jobs import send
from tests.vault.test_tus import STREAM, TUS, begin, metadata

# Who in a vault may do it stands in the tests of each: method, path, headers or a JSON body that are well formed.
TUS_CREATION = TUS | {"Upload-Length": "5", "Upload-Metadata": metadata(vault_id=uuid4())}
OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("OPTIONS", "uploads", {}),
    ("POST", "uploads", {"headers": TUS_CREATION}),
    ("HEAD", "uploads/{id}", {"headers": TUS}),
    ("GET", "uploads/{id}", {}),
    ("PATCH", "uploads/{id}", {"headers": TUS | STREAM | {"Upload-Offset": "0"}, "content": b"text"}),
    ("DELETE", "uploads/{id}", {"headers": TUS}),
    ("POST", "documents/{id}/versions", {"files": {"file": ("a.txt", b"text")}}),
    ("POST", "documents/{id}/versions/1/restore", {}),
    ("POST", "documents/{id}/versions/prune", {"json": {}}),
    ("DELETE", "documents/{id}/versions/1", {}),
    ("POST", "imports", {"data": {"vault_id": str(uuid4())}, "files": {"file": ("a.json", b"{}")}}),
    ("GET", "imports", {}),
    ("GET", "imports/{id}", {}),
    ("GET", "imports/{id}/entries", {}),
    ("POST", "exports", {"json": {"vault_ids": [str(uuid4())]}}),
    ("GET", "exports", {}),
    ("GET", "exports/{id}", {}),
    ("GET", "exports/{id}/content", {}),
    ("DELETE", "exports/{id}", {}),
]
READING = ("GET", "HEAD", "OPTIONS")
EVERYBODYS = {("OPTIONS", "uploads"): 204, ("GET", "imports"): 200, ("GET", "exports"): 200}


async def ask(
    client: httpx.AsyncClient, method: str, path: str, request: dict[str, Any], headers: dict[str, str]
) -> Any:
    headers = request.get("headers", {}) | headers
    return await client.request(method, f"/v1/vault/{path.format(id=uuid4())}", **{**request, "headers": headers})


async def test_nothing_is_answered_without_a_token_or_without_the_scope(client: httpx.AsyncClient):
    reading, nothing = await make_user(scope="profile vault:read"), await make_user(scope="profile rag:ask")

    for method, path, request in OPERATIONS:
        reads = (method in READING and not path.startswith("uploads/")) or path.startswith("exports") or method == "GET"
        assert (await ask(client, method, path, request, {})).status_code == 401, path
        refused = await ask(client, method, path, request, auth(nothing if reads else reading))
        assert refused.status_code == 403, (method, path)


async def test_a_stranger_is_told_that_nothing_is_there(client: httpx.AsyncClient):
    stranger = await make_user()

    for method, path, request in OPERATIONS:
        answer = await ask(client, method, path, request, auth(stranger))
        assert answer.status_code == EVERYBODYS.get((method, path), 404), (method, path, answer.text)


async def test_what_is_done_stands_in_the_log_of_the_vault(client: httpx.AsyncClient, settings: Settings, scene: Scene):
    headers, begun = auth(scene.editor), len(await entries(scene))
    url = (await begin(client, scene, 5)).headers["Location"]
    await client.patch(url, content=b"01234", headers=headers | TUS | STREAM | {"Upload-Offset": "0"})
    await add(client, scene, b"second")
    versions = f"/v1/vault/documents/{scene.document.id}/versions"
    await client.post(f"{versions}/1/restore", headers=headers)
    await client.delete(f"{versions}/1", headers=headers)
    await client.post(f"{versions}/prune", json={}, headers=headers)
    await send(client, scene, b"name,url,username,password\nMail,,ann,secret\n")
    await run_jobs(settings, service.IMPORT_JOB)
    exported = await client.post("/v1/vault/exports", json={}, headers=auth(scene.viewer))
    await run_jobs(settings, service.EXPORT_JOB)
    await client.get(f"{exported.headers['Location']}/content", headers=auth(scene.viewer))

    assert [row.action for row in await entries(scene)][begun:] == [
        "vault.document_created",
        "vault.document_version_added",
        "vault.document_version_added",
        "vault.document_version_deleted",
        "vault.document_version_deleted",
        "vault.import_started",
        "vault.item_created",
        "vault.import_finished",
        "vault.export_requested",
        "vault.export_downloaded",
    ]


async def entries(scene: Scene) -> list[Any]:
    statement = "SELECT action FROM audit_entries WHERE chain_id = :vault ORDER BY sequence"
    return await rows_of(statement, vault=scene.vault.id)


async def test_no_export_is_made_or_taken_that_the_log_does_not_know_of(
    client: httpx.AsyncClient, settings: Settings, postgres: PostgresUrls, scene: Scene
):
    headers = auth(scene.owner)
    path = (await client.post("/v1/vault/exports", json={}, headers=headers)).headers["Location"]
    await run_jobs(settings, service.EXPORT_JOB)
    owner = await asyncpg.connect(postgres.owner)
    await owner.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$")
    await owner.execute(
        f"CREATE TRIGGER refuse BEFORE INSERT ON audit_entries FOR EACH ROW "
        f"WHEN (NEW.chain_id = '{scene.vault.id}') EXECUTE FUNCTION refuse()"
    )
    try:
        refused = await client.post("/v1/vault/exports", json={}, headers=headers)
        kept = await client.get(f"{path}/content", headers=headers)
    finally:
        await owner.execute("DROP FUNCTION refuse() CASCADE")
        await owner.close()

    assert (refused.status_code, kept.status_code) == (500, 500)
    held = await rows_of("SELECT id FROM vault_exports WHERE user_id = :owner", owner=scene.owner.id)
    assert [str(row.id) for row in held] == [path.rpartition("/")[2]]
