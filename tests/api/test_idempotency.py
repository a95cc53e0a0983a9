"""`Idempotency-Key`: one effect and one answer for a request, however often and by whatever way it is repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import Security
from sqlalchemy import func, select, text, update

from app.api.deps import SessionDep, get_principal
from app.api.idempotency import idempotent
from app.api.models import IdempotencyKey
from app.api.routes import Router
from app.api.tasks import purge_idempotency_keys
from app.auth.principal import Principal
from app.core.errors import Conflict, Unavailable
from app.core.schemas import RequestModel, ResponseModel
from app.db.models import OutboxEvent
from app.db.outbox import emit
from app.db.reseal import reseal_owner
from app.db.runtime import Runtime, current
from app.db.session import Actor, session_scope
from app.main import create_app
from tests.factories import TestUser, auth, make_user, make_vault

pytestmark = pytest.mark.anyio
VAULTS = "/v1/vault/vaults"
TELLTALE = "quartzheron"


def keyed(user: TestUser, key: str | None = None) -> dict[str, str]:
    return auth(user) | {"Idempotency-Key": key or str(uuid4())}


async def vaults_of(user: TestUser) -> int:
    async with session_scope() as session:
        return int(
            await session.scalar(text("SELECT count(*) FROM vault_members WHERE user_id = :id"), {"id": user.id}) or 0
        )


async def rows_of(user: TestUser) -> list[IdempotencyKey]:
    async with session_scope() as session:
        return list(await session.scalars(select(IdempotencyKey).where(IdempotencyKey.user_id == user.id)))


async def end_leases(user: TestUser) -> None:
    async with session_scope() as session:
        mine = IdempotencyKey.user_id == user.id
        await session.execute(update(IdempotencyKey).where(mine).values(lease_until=func.now() - timedelta(seconds=1)))


async def wishes_of(cause: UUID) -> int:
    """How often a wish had its effect."""
    async with session_scope() as session:
        made = select(func.count()).where(OutboxEvent.payload["cause"].as_string() == str(cause))
        return int(await session.scalar(made) or 0)


@pytest.fixture
async def person(runtime: Runtime) -> TestUser:
    return await make_user()


class Wish(RequestModel):
    """What the routes of these tests take."""

    number: int


class Granted(ResponseModel):
    """What they answer."""

    cause: UUID
    tries: int


class Workshop:
    """Routes that count how often they run, and can be told to fail or to wait."""

    def __init__(self) -> None:
        self.runs: list[UUID] = []
        self.errors: list[Exception] = []
        self.started, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    def router(self) -> Router:
        router = Router(prefix="/v1/workshop", tags=["workshop"])
        person = Annotated[Principal, Security(get_principal, scopes=["profile"])]

        @router.post("/wishes", status_code=201)
        @idempotent(required=True)
        async def make_wish(data: Wish, principal: person, session: SessionDep, cause: UUID) -> Granted:
            """Make a wish."""
            assert principal.user_id
            self.runs.append(cause)
            self.started.set()
            await self.go_on.wait()
            await emit(session, "workshop.wish_made", number=data.number, cause=cause)
            if self.errors:
                raise self.errors.pop(0)
            return Granted(cause=cause, tries=len(self.runs))

        return router


@asynccontextmanager
async def working(runtime: Runtime, workshop: Workshop) -> AsyncIterator[httpx.AsyncClient]:
    application = create_app(runtime.settings)
    application.router.routes += workshop.router().routes
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        yield client


WISHES = "/v1/workshop/wishes"


async def test_a_repetition_gets_the_first_answer_and_has_no_effect(client: httpx.AsyncClient, person: TestUser):
    headers, body = keyed(person), {"name": "Papers", "kind": "family"}

    first = await client.post(VAULTS, json=body, headers=headers)
    again = await client.post(
        VAULTS, content=b'{ "kind":"family",\n"name":"Papers"}', headers=headers | {"Content-Type": "application/json"}
    )

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert [again.headers[name] for name in ("Location", "ETag")] == [
        first.headers[name] for name in ("Location", "ETag")
    ]
    assert again.headers["content-type"] == "application/json"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await vaults_of(person) == 1


async def test_without_the_header_each_request_counts_and_nothing_is_kept(client: httpx.AsyncClient, person: TestUser):
    for _ in range(2):
        await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=auth(person))

    assert await vaults_of(person) == 2
    assert await rows_of(person) == []


@pytest.mark.parametrize("form", ["8e03978e-40d5", '"8e03978e-40d5"'])
async def test_the_key_may_be_quoted_as_the_draft_has_it(client: httpx.AsyncClient, person: TestUser, form: str):
    answers = [
        await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=keyed(person, key))
        for key in ("8e03978e-40d5", form)
    ]

    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("change", [{"name": "Other"}, {"kind": "personal"}])
async def test_another_request_with_the_same_key_is_refused(client: httpx.AsyncClient, person: TestUser, change):
    headers, body = keyed(person), {"name": "Papers", "kind": "family"}
    await client.post(VAULTS, json=body, headers=headers)

    refused = await client.post(VAULTS, json=body | change, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-key-reused")
    assert await vaults_of(person) == 1


async def test_the_same_body_on_another_path_is_another_request(client: httpx.AsyncClient, person: TestUser):
    headers = keyed(person)
    first, second = await make_vault(person), await make_vault(person)
    body = {"email": f"{uuid4().hex}@example.org", "role": "viewer"}

    answers = [
        await client.post(f"{VAULTS}/{vault.id}/invitations", json=body, headers=headers) for vault in (first, second)
    ]

    assert [answer.status_code for answer in answers] == [201, 422]


async def test_two_people_may_use_the_same_key(client: httpx.AsyncClient, person: TestUser):
    other, key = await make_user(), str(uuid4())

    answers = [
        await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=keyed(each, key))
        for each in (person, other)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", 'half"quoted', "ümlaut".encode("latin-1")])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, person: TestUser, key):
    headers = auth(person) | {"Idempotency-Key": key}

    refused = await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-idempotency-key")
    assert await vaults_of(person) == 0


async def test_what_is_not_valid_takes_no_key(client: httpx.AsyncClient, person: TestUser):
    headers = keyed(person)
    assert (await client.post(VAULTS, json={"name": ""}, headers=headers)).status_code == 422

    mended = await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=headers)

    assert mended.status_code == 201


async def test_a_refusal_is_the_answer_to_each_repetition(client: httpx.AsyncClient, person: TestUser):
    headers, item = keyed(person), {"vault_id": str(uuid4()), "type": "passport", "title": "Passport"}

    answers = [await client.post("/v1/vault/items", json=item, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[1].content == answers[0].content
    assert answers[1].headers["content-type"] == "application/problem+json"
    assert answers[1].headers["Idempotent-Replayed"] == "true"


async def test_what_demands_the_header_says_so(runtime: Runtime, person: TestUser):
    workshop = Workshop()
    async with working(runtime, workshop) as client:
        refused = await client.post(WISHES, json={"number": 1}, headers=auth(person))

    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency-key-required")
    assert workshop.runs == []


async def test_while_the_first_is_running_a_repetition_is_told_to_wait(runtime: Runtime, person: TestUser):
    workshop, headers = Workshop(), keyed(person)
    workshop.go_on.clear()
    async with working(runtime, workshop) as client:
        first = asyncio.create_task(client.post(WISHES, json={"number": 1}, headers=headers))
        await workshop.started.wait()
        early = await client.post(WISHES, json={"number": 1}, headers=headers)
        workshop.go_on.set()
        answered = await first
        late = await client.post(WISHES, json={"number": 1}, headers=headers)

    assert (early.status_code, early.json()["code"], early.headers["Retry-After"]) == (409, "request-running", "1")
    assert (answered.status_code, late.status_code) == (201, 201)
    assert late.json() == answered.json()
    assert len(workshop.runs) == 1


async def test_of_many_at_once_one_has_the_effect(client: httpx.AsyncClient, person: TestUser):
    headers = keyed(person)

    answers = await asyncio.gather(
        *(client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=headers) for _ in range(16))
    )

    assert await vaults_of(person) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1


@pytest.mark.parametrize(
    "fault", [Unavailable(), RuntimeError("a fault of ours"), Conflict(headers={"Retry-After": "1"})]
)
async def test_after_a_fault_or_a_request_to_wait_the_repetition_goes_on_for_the_same_cause(
    runtime: Runtime, person: TestUser, fault
):
    workshop, headers = Workshop(), keyed(person)
    workshop.errors = [fault]
    async with working(runtime, workshop) as client:
        failed = await client.post(WISHES, json={"number": 1}, headers=headers)
        other = await client.post(WISHES, json={"number": 2}, headers=headers)
        again = await client.post(WISHES, json={"number": 1}, headers=headers)

    assert failed.status_code in (409, 500, 503)
    assert (other.status_code, again.status_code) == (422, 201)
    assert workshop.runs[0] == workshop.runs[1]


async def test_who_was_taken_for_dead_has_no_effect_after_all(runtime: Runtime, person: TestUser):
    workshop, headers = Workshop(), keyed(person)
    workshop.go_on.clear()
    async with working(runtime, workshop) as client:
        slow = asyncio.create_task(client.post(WISHES, json={"number": 1}, headers=headers))
        await workshop.started.wait()
        await end_leases(person)
        workshop.started.clear()
        quick = asyncio.create_task(client.post(WISHES, json={"number": 1}, headers=headers))
        await workshop.started.wait()
        workshop.go_on.set()
        answers = [await slow, await quick]

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert workshop.runs[0] == workshop.runs[1]
    assert [row.state for row in await rows_of(person)] == ["done"]
    assert await wishes_of(workshop.runs[0]) == 1


async def test_a_domain_refusal_rolls_back_and_is_kept(runtime: Runtime, person: TestUser):
    workshop, headers = Workshop(), keyed(person)
    workshop.errors = [Conflict("Not now", seats=3)]
    async with working(runtime, workshop) as client:
        answers = [await client.post(WISHES, json={"number": 1}, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[1].json() == answers[0].json()
    assert answers[1].json()["seats"] == 3
    assert len(workshop.runs) == 1
    assert await wishes_of(workshop.runs[0]) == 0


async def test_neither_the_key_nor_the_answer_can_be_read_in_the_database(client: httpx.AsyncClient, person: TestUser):
    headers = keyed(person, f"{TELLTALE}-key")
    assert (await client.post(VAULTS, json={"name": TELLTALE, "kind": "family"}, headers=headers)).status_code == 201

    (row,) = await rows_of(person)
    stored = b"|".join(value for value in vars(row).values() if isinstance(value, bytes))

    assert TELLTALE.encode() not in stored
    assert row.status == 201


async def test_an_answer_is_still_there_after_the_key_of_its_owner_was_exchanged(
    client: httpx.AsyncClient, person: TestUser
):
    headers, body = keyed(person), {"name": "Papers", "kind": "family"}
    first = await client.post(VAULTS, json=body, headers=headers)
    async with session_scope() as session:
        await current().keys.rotate(session, person.id)
        await reseal_owner(session, person.id)
        await current().keys.destroy_retired(session, person.id)

    again = await client.post(VAULTS, json=body, headers=headers)

    assert again.json() == first.json()


async def test_another_person_sees_no_row(client: httpx.AsyncClient, person: TestUser):
    await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=keyed(person))
    stranger = await make_user()

    async with session_scope(Actor.user(stranger.id)) as session:
        seen = list(await session.scalars(select(IdempotencyKey.id)))

    assert seen == []


async def test_old_keys_are_forgotten_and_younger_ones_kept(client: httpx.AsyncClient, person: TestUser):
    for key in ("old", "young"):
        await client.post(VAULTS, json={"name": "Papers", "kind": "family"}, headers=keyed(person, key))
    days = current().settings.idempotency_days
    rows = await rows_of(person)
    async with session_scope() as session:
        aged = update(IdempotencyKey).where(IdempotencyKey.id == rows[0].id)
        await session.execute(aged.values(created_at=func.now() - timedelta(days=days, seconds=1)))

    assert await purge_idempotency_keys() >= 1

    assert [row.id for row in await rows_of(person)] == [rows[1].id]


async def test_the_header_is_documented_where_it_is_honoured(client: httpx.AsyncClient):
    paths = (await client.get("/openapi.json")).json()["paths"]
    operation = paths[VAULTS]["post"]
    (header,) = [each for each in operation["parameters"] if each["name"] == "Idempotency-Key"]
    examples = operation["responses"]["422"]["content"]["application/problem+json"]["examples"]

    assert (header["in"], header["required"]) == ("header", False)
    assert "idempotency-key-reused" in examples
    assert "request-running" in operation["responses"]["409"]["content"]["application/problem+json"]["examples"]
    assert "parameters" not in paths["/v1/vault/vaults/{vault_id}/restore"]["post"] or not [
        each
        for each in paths["/v1/vault/vaults/{vault_id}/restore"]["post"]["parameters"]
        if each["name"] == "Idempotency-Key"
    ]
