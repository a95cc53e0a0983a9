"""Who may ask what of a sealed vault; what they send here is of the right shape and seals nothing.

So 412, 422 and 409 say that somebody may do it, if what they send were right.
"""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import insert

from app.db.session import Actor, session_scope
from app.vault.models import vaults
from app.vault.sealed.models import heads
from app.vault.sealed.schemas import EXAMPLE
from tests.factories import TestUser, auth, make_member, make_user, make_vault
from tests.vault.sealed.conftest import People

ROLES = ("owner", "admin", "editor", "viewer", "removed", "stranger", "nobody")
D32, D16 = "A" * 43 + "=", "A" * 22 + "=="
LIST = {"members": EXAMPLE, "wraps": {}, "clock": D16}
STATE = {"state": EXAMPLE, "wraps": EXAMPLE, "pins": EXAMPLE}
WRITE = {"revision": EXAMPLE, "keys": EXAMPLE, "clock": D16, "clock_before": D32}

TABLE = """
operation                                       owner admin editor viewer removed stranger nobody
POST    sealed/vaults                             409   409    409    409     409      409    401
GET     sealed/vaults/{vault}                     200   200    200    200     404      404    401
POST    sealed/vaults/{vault}/lists               422   422    422    422     404      404    401
GET     sealed/vaults/{vault}/epochs/1            404   404    404    404     404      404    401
POST    sealed/vaults/{vault}/finish-epoch        204   204    204    403     404      404    401
GET     sealed/vaults/{vault}/candidates          200   200    403    403     404      404    401
DELETE  sealed/vaults/{vault}/candidates/{id}     404   404    403    403     404      404    401
PUT     sealed/vaults/{vault}/due                 200   200    200    403     404      404    401
GET     sealed/vaults/{vault}/due                 200   200    200    200     404      404    401
GET     sealed/vaults/{vault}/items               200   200    200    200     404      404    401
GET     sealed/vaults/{vault}/items/{id}          404   404    404    404     404      404    401
PUT     sealed/vaults/{vault}/items/{id}          412   412    412    403     404      404    401
PUT     sealed/vaults/{vault}/items/{id}/keys     404   404    404    403     404      404    401
GET     sealed/vaults/{vault}/items/{id}/revisions  404 404    404    404     404      404    401
PUT     sealed/vaults/{vault}/files/{id}/chunks/0 422   422    422    403     404      404    401
GET     sealed/vaults/{vault}/files/{id}/chunks/0 404   404    404    404     404      404    401
DELETE  sealed/vaults/{vault}/files/{id}          404   404    404    403     404      404    401
GET     sealed/accounts/{keys}                    404   404    404    404     404      404    401
GET     sealed/account                            404   404    404    404     404      404    401
POST    sealed/account                            422   422    422    422     422      422    401
PUT     sealed/account                            404   404    404    404     404      404    401
PUT     sealed/account/pins                       404   404    404    404     404      404    401
POST    sealed/account/unlock                     404   404    404    404     404      404    401
DELETE  sealed/account                            409   409    409    409     404      404    401
POST    sealed/invitations/accept                 409   409    409    409     409      409    401
"""
LINES = [line.split() for line in TABLE.strip().splitlines()[1:]]
OPERATIONS = [(method, path, dict(zip(ROLES, map(int, statuses), strict=True))) for method, path, *statuses in LINES]
BODIES: dict[str, Any] = {
    "POST sealed/vaults": LIST | {"vault_id": str(uuid4())},
    "POST sealed/vaults/{vault}/lists": LIST,
    "PUT sealed/vaults/{vault}/due": {"epoch": 1, "first_on": "2031-05-31", "days": [D32], "tokens": []},
    "PUT sealed/vaults/{vault}/items/{id}": WRITE,
    "PUT sealed/vaults/{vault}/items/{id}/keys": {"keys": EXAMPLE, "keys_before": D32, "counter": 1},
    "PUT sealed/vaults/{vault}/files/{id}/chunks/0": b"plaintext",
    "POST sealed/account": STATE | {"verifier": D32, "recovery_verifier": D32},
    "PUT sealed/account": STATE | {"pins_before": D32},
    "PUT sealed/account/pins": {"pins": EXAMPLE, "pins_before": D32},
    "POST sealed/account/unlock": {"key": D32},
    "POST sealed/invitations/accept": {"token": "guessed"},
}


class House:
    """A sealed vault, as rows, and everybody in the table."""

    def __init__(self, people: dict[str, TestUser], vault: UUID, keys: UUID, client: httpx.AsyncClient) -> None:
        self.people, self.vault, self.keys, self.client = people, vault, keys, client

    async def ask(self, role: str, method: str, path: str) -> httpx.Response:
        body = BODIES.get(f"{method} {path}")
        url = path.format(vault=self.vault, id=uuid4(), keys=self.keys)
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = auth(self.people[role]) if role != "nobody" else {}
        return await self.client.request(method, f"/v1/vault/{url}", headers=headers, **sent)


@pytest.fixture(scope="module")
async def house(people: People) -> House:
    client, keys = people.client, people.mallory.id
    persons = {role: await make_user() for role in ROLES if role != "nobody"}
    vault = await make_vault(persons["owner"])
    async with session_scope() as session:
        await session.execute(vaults.update().where(vaults.c.id == vault.id).values(tier="sealed"))
    async with session_scope(Actor.vault(vault.id)) as session:
        head = {"counter": 1, "epoch": 1, "wanted": False, "clock": bytes(16), "items": 0, "size": 0}
        await session.execute(insert(heads).values(vault_id=vault.id, **head))
    for role in ("admin", "editor", "viewer", "removed"):
        await make_member(vault, role="admin" if role == "removed" else role, user=persons[role])
    path = f"/v1/vault/vaults/{vault.id}/members/{persons['removed'].id}"
    assert (await client.delete(path, headers=auth(persons["owner"]))).status_code == 204
    async with session_scope(Actor.vault(vault.id)) as session:
        await session.execute(heads.update().where(heads.c.vault_id == vault.id).values(wanted=False))
    return House(persons, vault.id, keys, client)


@pytest.mark.parametrize(("method", "path", "expected"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
async def test_everybody_gets_what_the_table_says(house: House, method, path, expected):
    assert {role: (await house.ask(role, method, path)).status_code for role in ROLES} == expected


@pytest.mark.parametrize(("method", "path", "expected"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
async def test_a_token_without_the_scope_is_refused(house: House, method, path, expected):
    house.people["narrow"] = await make_user(scope="profile" if method == "GET" else "profile vault:read")

    status = (await house.ask("narrow", method, path)).status_code

    assert status == (404 if path == "sealed/account/unlock" else 403)  # it reads, and there is nothing


@pytest.mark.parametrize(("method", "path", "expected"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
async def test_a_vault_that_is_not_sealed_says_so(house: House, method, path, expected):
    if "{vault}" not in path:
        return
    open_vault = House(house.people, (await make_vault(house.people["owner"])).id, house.keys, house.client)

    response = await open_vault.ask("owner", method, path)

    assert (response.status_code, response.json()["code"]) == (409, "vault-not-sealed")
