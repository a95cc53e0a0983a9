"""Consumers of RapidAPI: believed by the secret of its proxy alone, tenants of their own, counted to the credit."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from app.auth.consumers import CONSUMER_SCOPES
from app.db.runtime import Runtime
from app.db.session import session_scope
from app.main import create_app
from app.payments.services import consumers
from tests.conftest import drain_jobs
from tests.factories import auth, make_item, make_user, make_vault
from tests.notifications.smtp import changed_settings
from tests.payments.books.conftest import rows_of

pytestmark = pytest.mark.anyio
SECRET, OLD_SECRET = "p" * 12 + "-new-one", "p" * 12 + "-old-one"
POLICY = "The excess of the car insurance is 250 euros for each claim.\n"


def proxied(user: str, tier: str = "PRO", secret: str = SECRET) -> dict[str, str]:
    return {
        "X-RapidAPI-Proxy-Secret": secret,
        "X-RapidAPI-User": user,
        "X-RapidAPI-Subscription": tier,
    }


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    runtime.cache.clear()
    with changed_settings(rapidapi_secrets=SecretStr(f"{SECRET}, {OLD_SECRET}")) as changed:
        transport = httpx.ASGITransport(create_app(changed.settings), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
            yield client


async def make_paper(api: httpx.AsyncClient, headers: dict[str, str], runtime: Runtime) -> str:
    body = {"name": "Papers", "kind": "personal", "tier": "assisted"}
    vault: str = (await api.post("/v1/vault/vaults", json=body, headers=headers)).json()["id"]
    files = {"file": ("policy.txt", POLICY.encode())}
    sent = await api.post("/v1/vault/documents", data={"vault_id": vault}, files=files, headers=headers)
    assert sent.status_code == 202
    await drain_jobs(runtime.settings)
    return vault


def told(answer: httpx.Response) -> int:
    return int(answer.headers["x-rapidapi-billing"].removeprefix("credits="))


@pytest.mark.parametrize("secret", ["", "x" * 20, SECRET[:-1], SECRET + "x"])
async def test_a_wrong_secret_lets_nobody_in(api: httpx.AsyncClient, secret: str):
    user = uuid4().hex

    answer = await api.get("/v1/vault/vaults", headers=proxied(user, secret=secret))

    assert (answer.status_code, answer.json()["code"]) == (401, "not-the-proxy")
    assert await accounts_of(user) == 0


@pytest.mark.parametrize("name", [b"", b"with space", b"x" * 201, b"\xff\xfe"])
async def test_the_proxy_must_name_somebody(api: httpx.AsyncClient, name: bytes):
    headers = [(key.encode(), value.encode()) for key, value in proxied("?").items() if key != "X-RapidAPI-User"]

    answer = await api.get("/v1/vault/vaults", headers=[*headers, (b"x-rapidapi-user", name)])

    assert answer.status_code == 401


async def test_without_the_secret_the_headers_say_nothing(api: httpx.AsyncClient, client: httpx.AsyncClient):
    headers = {name: value for name, value in proxied("somebody").items() if "Secret" not in name}

    assert (await api.get("/v1/vault/vaults", headers=headers)).status_code == 401
    assert (await client.get("/v1/vault/vaults", headers=proxied("somebody"))).status_code == 401  # it is off there


async def test_each_consumer_is_a_tenant_with_a_vault_that_nobody_else_sees(api: httpx.AsyncClient, runtime: Runtime):
    one, other = uuid4().hex, uuid4().hex
    vault = await make_paper(api, proxied(one), runtime)

    assert (await api.get(f"/v1/vault/vaults/{vault}", headers=proxied(one, secret=OLD_SECRET))).status_code == 200
    assert (await api.get(f"/v1/vault/vaults/{vault}", headers=proxied(other))).status_code == 404
    assert (await api.get("/v1/vault/vaults", headers=proxied(other))).json()["items"] == []


async def test_a_consumer_reaches_no_family_and_has_no_profile_or_keys(api: httpx.AsyncClient):
    owner = await make_user()
    item = await make_item(owner, await make_vault(owner))
    headers = proxied(owner.email)

    assert (await api.get(f"/v1/vault/items/{item.id}", headers=headers)).status_code == 404
    for path in ("/v1/auth/me", "/v1/auth/api-keys", "/v1/auth/sessions"):
        assert (await api.get(path, headers=headers)).status_code == 403
    assert "payments:write" not in CONSUMER_SCOPES


async def test_a_token_beside_the_headers_decides_by_itself(api: httpx.AsyncClient):
    owner = await make_user()
    vault = await make_vault(owner)

    answer = await api.get(f"/v1/vault/vaults/{vault.id}", headers={**proxied("somebody"), **auth(owner)})

    assert answer.status_code == 200
    assert "x-rapidapi-billing" not in answer.headers


async def test_twenty_first_requests_at_once_make_one_account(api: httpx.AsyncClient):
    user = uuid4().hex

    answers = await asyncio.gather(*(api.get("/v1/vault/vaults", headers=proxied(user)) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert await accounts_of(user) == 1


@pytest.mark.parametrize(("tier", "plan"), [("BASIC", "free"), ("PRO", "plus"), ("ultra", "family"), ("OTHER", "free")])
async def test_the_subscription_there_is_the_plan_here(api: httpx.AsyncClient, tier: str, plan: str):
    user = uuid4().hex
    await api.get("/v1/vault/vaults", headers=proxied(user, "MEGA"))

    answer = await api.get("/v1/payments/usage", headers=proxied(user, tier))

    assert answer.json()["plan"] == plan


async def test_the_credits_told_with_the_answers_are_those_that_were_used(api: httpx.AsyncClient, runtime: Runtime):
    headers = proxied(uuid4().hex)
    await make_paper(api, headers, runtime)
    before = await lots_used(api, headers)
    question = {"question": "What is the excess of the car insurance?"}

    answers = [await api.post("/v1/rag/ask", json=question, headers=headers) for _ in range(3)]
    streamed = await api.post("/v1/rag/ask", json={**question, "stream": True}, headers=headers)
    last = await api.get("/v1/vault/vaults", headers=headers)

    assert all(answer.json()["found"] for answer in answers)
    used = await lots_used(api, headers) - before
    assert used > 0
    assert sum(map(told, [*answers, streamed, last])) == used
    assert told(await api.get("/v1/vault/vaults", headers=headers)) == 0


async def test_requests_are_counted_and_held_to_the_plans_rate(api: httpx.AsyncClient):
    headers, statuses = proxied(uuid4().hex, "BASIC"), list[int]()  # 60 a minute
    for _ in range(60):  # a minute may end meanwhile, more than once on a busy machine
        answers = await asyncio.gather(*(api.get("/v1/vault/vaults", headers=headers) for _ in range(20)))
        statuses += [answer.status_code for answer in answers]
        if 429 in statuses:
            break

    refused = next(answer for answer in answers if answer.status_code == 429)
    assert set(statuses) == {200, 429}
    assert int(refused.headers["retry-after"]) >= 1
    rows = await rows_of("SELECT requests FROM payments_consumer_months WHERE requests = :n", n=statuses.count(200))
    assert len(rows) >= 1


async def test_operators_see_the_month_and_book_the_statement_once(api: httpx.AsyncClient):
    operator, consumer = await make_user(), proxied(uuid4().hex)
    await api.get("/v1/vault/vaults", headers=consumer)
    month = (await rows_of("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month"))[0].month
    line: dict[str, Any] = {"month": "2026-10", "line": uuid4().hex, "currency": "usd"}
    line |= {"gross_cents": 10_000, "fee_cents": 2_000}
    paths = "/v1/payments/admin/consumers", "/v1/payments/admin/marketplace-statements"
    assert (await api.get(paths[0], params={"month": month}, headers=auth(operator))).status_code == 404
    assert (await api.post(paths[1], json=line, headers=consumer)).status_code == 403

    with changed_settings(operators=(operator.email,)):
        seen = await api.get(paths[0], params={"month": month}, headers=auth(operator))
        posted = [(await api.post(paths[1], json=line, headers=auth(operator))).json()["is_new"] for _ in range(2)]

    assert any(each["requests"] >= 1 for each in seen.json()["items"])
    assert posted == [True, False]
    legs = await rows_of(
        "SELECT l.account, l.amount_cents FROM payments_ledger_legs l JOIN payments_ledger_transactions t"
        " ON t.id = l.transaction_id WHERE t.reference = :reference",
        reference=f"rapidapi:2026-10:{line['line']}",
    )
    assert dict(tuple(row) for row in legs) == {"receivable": 8_000, "marketplace_fee": 2_000, "revenue": -10_000}


async def lots_used(api: httpx.AsyncClient, headers: dict[str, str]) -> int:
    lots = (await api.get("/v1/payments/credits", headers=headers)).json()["lots"]
    return sum(lot["used"] for lot in lots)


async def accounts_of(user: str) -> int:
    from app.auth.identities import find_identity

    identity = await find_identity(consumers.RAPIDAPI, user)
    if identity is None:
        return 0
    async with session_scope() as session:
        assert await session.get(type(identity), identity.id) is not None
    return len(await rows_of("SELECT 1 FROM auth_identities WHERE digest = :digest", digest=identity.digest))
