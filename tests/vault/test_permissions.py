"""Who may do what in a vault: one line for each operation, one column for each kind of person.

An operation that is not in the table fails `test_every_operation_has_a_line`. Words in braces that begin with `a` or
`an` stand for something that is made anew for each attempt; `MAKERS` and `BODIES` say what, and what is sent.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.config import Settings
from app.db.runtime import Runtime
from app.vault.schemas.vaults import VaultRead
from tests.conftest import application
from tests.factories import TestUser, auth, make_document, make_item, make_member, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.vault import test_file_access as file_routes
from tests.vault import test_record_access as record_routes
from tests.vault.sealed import test_access as sealed_routes
from tests.vault.test_members import token_of

ROLES = ("owner", "admin", "editor", "viewer", "removed", "invited", "stranger", "nobody")
MEMBERS = ("admin", "editor", "viewer")

TABLE = """
operation                                                    owner admin editor viewer removed invited stranger nobody
GET     types                                                  200   200    200    200     200     200      200    401
GET     vaults                                                 200   200    200    200     200     200      200    401
POST    vaults                                                 201   201    201    201     201     201      201    401
GET     vaults/{vault}                                         200   200    200    200     404     404      404    401
PATCH   vaults/{vault}                                         200   200    403    403     404     404      404    401
DELETE  vaults/{a_vault}                                       204   403    403    403     404     404      404    401
POST    vaults/{a_trashed_vault}/restore                       200   403    403    403     404     404      404    401
POST    vaults/{a_trashed_vault}/purge                         202   403    403    403     404     404      404    401
POST    vaults/{vault}/rotate-key                              202   403    403    403     404     404      404    401
GET     vaults/{vault}/activity                                200   200    200    200     404     404      404    401
GET     vaults/{vault}/members                                 200   200    200    200     404     404      404    401
PATCH   vaults/{vault}/members/{a_member}                      200   200    403    403     404     404      404    401
DELETE  vaults/{vault}/members/{a_member}                      204   204    403    403     404     404      404    401
POST    vaults/{a_vault}/leave                                 409   204    204    204     404     404      404    401
POST    vaults/{vault}/invitations                             201   201    403    403     404     404      404    401
GET     vaults/{vault}/invitations                             200   200    403    403     404     404      404    401
DELETE  vaults/{vault}/invitations/{an_invitation}             204   204    403    403     404     404      404    401
POST    vaults/{vault}/invitations/{an_invitation}/resend      200   200    403    403     404     404      404    401
POST    invitations/accept                                     403   403    403    403     403     200      403    401
POST    vaults/{vault}/transfer                                201   403    403    403     404     404      404    401
GET     vaults/{an_offered_vault}/transfer                     200   404    404    200     404     404      404    401
DELETE  vaults/{an_offered_vault}/transfer                     204   404    404    204     404     404      404    401
POST    vaults/{an_offered_vault}/transfer/accept              404   404    404    200     404     404      404    401
GET     transfers                                              200   200    200    200     200     200      200    401
GET     changes                                                200   200    200    200     200     200      200    401
GET     changes?vault_id={vault}                               200   200    200    200     404     404      404    401
GET     items                                                  200   200    200    200     200     200      200    401
GET     items?vault_id={vault}                                 200   200    200    200     404     404      404    401
GET     items?vault_id={vault}&tag=travel                      200   200    200    200     404     404      404    401
POST    items                                                  201   201    201    403     404     404      404    401
GET     items/{item}                                           200   200    200    200     404     404      404    401
PATCH   items/{an_item}                                        200   200    200    403     404     404      404    401
DELETE  items/{an_item}                                        204   204    204    403     404     404      404    401
POST    items/{a_trashed_item}/restore                         200   200    200    403     404     404      404    401
POST    items/{a_trashed_item}/purge                           204   204    204    403     404     404      404    401
GET     items/{item}/versions                                  200   200    200    200     404     404      404    401
GET     items/{a_changed_item}/versions/1                      200   200    200    200     404     404      404    401
POST    items/{a_changed_item}/versions/1/restore              200   200    200    403     404     404      404    401
GET     documents                                              200   200    200    200     200     200      200    401
GET     documents?vault_id={vault}                             200   200    200    200     404     404      404    401
POST    documents                                              202   202    202    403     404     404      404    401
GET     documents/{document}                                   200   200    200    200     404     404      404    401
PATCH   documents/{a_document}                                 200   200    200    403     404     404      404    401
DELETE  documents/{a_document}                                 204   204    204    403     404     404      404    401
POST    documents/{a_trashed_document}/restore                 200   200    200    403     404     404      404    401
POST    documents/{a_trashed_document}/purge                   204   204    204    403     404     404      404    401
GET     documents/{document}/versions                          200   200    200    200     404     404      404    401
GET     documents/{document}/content                           200   200    200    200     404     404      404    401
HEAD    documents/{document}/content                           200   200    200    200     404     404      404    401
PUT     documents/{a_document}/content                         202   202    202    403     404     404      404    401
GET     /v1/agents/vaults/{vault}/rule                         200   200    200    200     404     404      404    401
PUT     /v1/agents/vaults/{vault}/rule                         200   403    403    403     404     404      404    401
GET     /v1/rag/vaults/{vault}/index                           200   200    200    200     404     404      404    401
PUT     /v1/rag/vaults/{vault}/index                           200   403    403    403     404     404      404    401
GET     /v1/audit/vaults/{vault}/entries                       200   200    403    403     404     404      404    401
GET     /v1/audit/vaults/{vault}/head                          200   200    200    200     404     404      404    401
"""

LINES = [line.split() for line in TABLE.strip().splitlines()[1:]]
OPERATIONS = [(method, path, dict(zip(ROLES, map(int, statuses), strict=True))) for method, path, *statuses in LINES]
BODIES: dict[str, Any] = {
    "POST vaults": {"name": "Papers of my own"},
    "PATCH vaults/{vault}": {"name": "Papers of the family"},
    "PATCH vaults/{vault}/members/{a_member}": {"role": "editor"},
    "POST vaults/{vault}/invitations": {"email": "{unique}@example.org"},
    "POST invitations/accept": {"token": "{a_token}"},
    "POST vaults/{vault}/transfer": {"user_id": "{viewer}"},
    "POST items": {"vault_id": "{vault}", "type": "secure_note", "title": "Note"},
    "PATCH items/{an_item}": {"title": "Other"},
    "POST documents": {"vault_id": "{vault}", "file": b"some text"},
    "PATCH documents/{a_document}": {"title": "Other"},
    "PUT documents/{a_document}/content": b"other text",
    "PUT /v1/agents/vaults/{vault}/rule": {"masked": True},
    "PUT /v1/rag/vaults/{vault}/index": {"mode": "sealed"},
}


@dataclass
class Family:
    """A vault and everybody in the table; those of `MEMBERS` are in every vault that is made for an attempt."""

    people: dict[str, TestUser]
    vault: VaultRead
    client: httpx.AsyncClient
    ids: dict[str, str] = field(default_factory=dict)

    async def owner_sends(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = auth(self.people["owner"])
        response = await self.client.request(method, f"/v1/vault/{path}", json=body or None, headers=headers)
        assert response.is_success, response.text
        return dict(response.json()) if response.content else {}


async def a_vault(family: Family) -> str:
    vault = await make_vault(family.people["owner"])
    for role in MEMBERS:
        await make_member(vault, role=role, user=family.people[role])
    return str(vault.id)


async def a_trashed_vault(family: Family) -> str:
    vault_id = await a_vault(family)
    await family.owner_sends("DELETE", f"vaults/{vault_id}")
    return vault_id


async def an_offered_vault(family: Family) -> str:
    vault_id = await a_vault(family)
    await family.owner_sends("POST", f"vaults/{vault_id}/transfer", user_id=str(family.people["viewer"].id))
    return vault_id


async def a_member(family: Family) -> str:
    return str((await make_member(family.vault, role="viewer")).id)


async def an_invitation(family: Family) -> str:
    path = f"vaults/{family.vault.id}/invitations"
    made = await family.owner_sends("POST", path, email=f"{uuid4().hex}@example.org")
    return str(made["id"])


async def a_token(family: Family) -> str:
    """Of an invitation to somebody who is not in the vault yet; it is they who are `invited` in this attempt."""
    family.people["invited"] = await make_user()
    await family.owner_sends("POST", f"vaults/{family.vault.id}/invitations", email=family.people["invited"].email)
    return await token_of(family.vault.id)


async def an_item(family: Family) -> str:
    return str((await make_item(family.people["owner"], family.vault)).id)


async def a_changed_item(family: Family) -> str:
    item_id = await an_item(family)
    await family.owner_sends("PATCH", f"items/{item_id}", title="Other")
    return item_id


async def a_trashed_item(family: Family) -> str:
    item_id = await an_item(family)
    await family.owner_sends("DELETE", f"items/{item_id}")
    return item_id


async def a_document(family: Family) -> str:
    return str((await make_document(family.people["owner"], family.vault)).id)


async def a_trashed_document(family: Family) -> str:
    document_id = await a_document(family)
    await family.owner_sends("DELETE", f"documents/{document_id}")
    return document_id


MAKERS: dict[str, Callable[[Family], Awaitable[str]]] = {
    each.__name__: each
    for each in (
        a_changed_item,
        a_document,
        a_member,
        a_token,
        a_trashed_document,
        a_trashed_item,
        a_trashed_vault,
        a_vault,
        an_invitation,
        an_item,
        an_offered_vault,
    )
}


@pytest.fixture(scope="module")
async def family(runtime: Runtime) -> AsyncIterator[Family]:
    people = {role: await make_user() for role in ROLES if role != "nobody"}
    vault = await make_vault(people["owner"])
    transport = httpx.ASGITransport(application(runtime.settings), raise_app_exceptions=False)
    with changed_settings(step_up_seconds=86_400):
        async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
            family = Family(people, vault, client)
            for role in (*MEMBERS, "removed"):
                await make_member(vault, role=role if role in MEMBERS else "admin", user=people[role])
            await family.owner_sends("DELETE", f"vaults/{vault.id}/members/{people['removed'].id}")
            await family.owner_sends("POST", f"vaults/{vault.id}/invitations", email=people["invited"].email)
            family.ids = {"vault": str(vault.id), "viewer": str(people["viewer"].id), "item": await an_item(family)}
            family.ids["document"] = await a_document(family)
            yield family


async def attempt(family: Family, role: str, method: str, path: str) -> int:
    """The status that somebody gets."""
    body = BODIES.get(f"{method} {path}")
    ids = {"unique": uuid4().hex, **family.ids}
    for name in re.findall(r"{(an?_\w+)}", path + str(body)):
        ids[name] = await MAKERS[name](family)
    url = path.format(**ids)
    headers = auth(family.people[role]) if role != "nobody" else {}
    response = await family.client.request(
        method, url if url.startswith("/") else f"/v1/vault/{url}", headers=headers, **sent(body, ids)
    )
    if response.status_code == 403:
        assert response.json()["code"] in ("role-too-low", "log-for-managers", "invitation-for-somebody-else")
    return response.status_code


def sent(body: Any, ids: dict[str, str]) -> dict[str, Any]:
    """How a body is sent: as it is, as a form if there is a file in it, as JSON otherwise."""
    if not isinstance(body, dict):
        return {"content": body} if body else {}
    filled = {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
    if "file" in filled:
        return {"files": {"file": ("a.txt", filled.pop("file"))}, "data": filled}
    return {"json": filled}


@pytest.mark.parametrize(("method", "path", "expected"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
async def test_everybody_gets_what_the_table_says(family: Family, method, path, expected):
    assert {role: await attempt(family, role, method, path) for role in ROLES} == expected


@pytest.mark.parametrize(("method", "path", "expected"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
async def test_a_token_without_the_scope_is_refused(family: Family, method, path, expected):
    others = "profile payments:read" if method in ("GET", "HEAD") else "profile payments:read vault:read"
    narrow = await make_user(scope=others)
    ids = {name: str(uuid4()) for name in re.findall(r"{(\w+)}", path)}
    url = path.format(**ids)

    response = await family.client.request(
        method, url if url.startswith("/") else f"/v1/vault/{url}", headers=auth(narrow)
    )

    assert response.status_code == 403


def test_every_operation_has_a_line(settings: Settings):
    """Whatever is below /v1/vault, and whatever names a vault elsewhere."""
    found = {
        (method.upper(), shape(path.removeprefix("/v1/vault/")))
        for path, methods in application(settings).openapi()["paths"].items()
        if path.startswith("/v1/vault/") or ("{vault_id}" in path and not path.startswith("/v1/nominees/visit/"))
        for method in methods
    }

    elsewhere = {(method, shape(path)) for method, path, _ in record_routes.OPERATIONS}  # by vaults, in that file
    elsewhere |= {("POST", shape(path)) for path in record_routes.FOR_ANYBODY}
    elsewhere |= {
        (method, shape(path)) for routes in (file_routes, sealed_routes) for method, path, _ in routes.OPERATIONS
    }
    assert found - {(method, shape(path)) for method, path, _ in OPERATIONS} - elsewhere == set()
    assert {(method, shape(path)) for method, path, _ in OPERATIONS} - found == set()


def shape(path: str) -> str:
    """A path with nothing but gaps where it has ids, or numbers."""
    return re.sub(r"{\w+}|(?<=/)\d+(?=/|$)", "*", path.partition("?")[0])
