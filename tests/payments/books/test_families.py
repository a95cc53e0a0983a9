"""Families and seats: offered, claimed, given up; never more than there are."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import select

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.runtime import Runtime, current
from app.db.session import Actor, session_scope
from app.payments.errors import NoSeatLeft, NotThePayer
from app.payments.models import Seat
from app.payments.services import families, limits, seats
from app.payments.tasks import close_family
from tests.factories import TestUser, auth, make_user, principal_of
from tests.payments.books.conftest import (
    grant_plan,
    make_family,
    make_plan,
    make_subscription,
    rows_of,
    set_subscription,
)

FAMILY = "/v1/payments/family"
SEATS = f"{FAMILY}/seats"


@pytest.fixture
async def payer(runtime: Runtime, enforced: None) -> TestUser:
    """Somebody whose plan has six seats."""
    family_id, owner = await make_family(await make_user(name="Astrid Lindqvist"))
    await make_subscription(family_id, plan="family")
    return owner


async def token_of(session_owner: TestUser, email: str) -> str:
    """The token in the mail that waits, sealed for the payer."""
    rows = await rows_of(
        "SELECT id, body FROM notifications_mails WHERE owner_id = :id ORDER BY id", id=session_owner.id
    )
    async with session_scope() as session:
        letters = []
        for row in rows:
            ring = await current().keys.ring(session, session_owner.id, row.body)
            letters.append(orjson.loads(ring.open("notifications_mails", row.id, "body", row.body)))
    mine = [letter for letter in letters if letter["to"] == email]
    return str(mine[-1]["context"]["token"])


async def offer(client: httpx.AsyncClient, payer: TestUser, email: str) -> dict[str, Any]:
    response = await client.post(SEATS, json={"email": email}, headers=auth(payer))
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def accept(client: httpx.AsyncClient, person: TestUser, token: str) -> httpx.Response:
    return await client.post("/v1/payments/family/accept-seat", json={"token": token}, headers=auth(person))


async def join(client: httpx.AsyncClient, payer: TestUser) -> tuple[TestUser, str]:
    """A member, and the seat's id."""
    member = await make_user(name="Nils Lindqvist")
    seat = await offer(client, payer, member.email)
    response = await accept(client, member, await token_of(payer, member.email))
    assert response.status_code == 200, response.text
    return member, seat["id"]


async def test_everybody_has_one_family_however_many_ask_at_once(runtime: Runtime):
    person = await make_user()

    async def ask() -> UUID:
        async with session_scope(Actor.user(person.id)) as session:
            return await families.family_of(session, person.id)

    assert len(set(await asyncio.gather(*(ask() for _ in range(16))))) == 1
    rows = await rows_of("SELECT state FROM payments_seats WHERE user_id = :id", id=person.id)
    assert [row.state for row in rows] == ["claimed"]


async def test_a_person_sees_their_plan_and_its_limits(client: httpx.AsyncClient, runtime: Runtime):
    person = await make_user()

    family = (await client.get(FAMILY, headers=auth(person))).json()

    assert (family["role"], family["seats_claimed"], family["seats_offered"]) == ("payer", 1, 0)
    assert {name: family["plan"][name] for name in ("code", "state", "reason", "may_write", "may_use_ai")} == {
        "code": "free",
        "state": "none",
        "reason": "free",
        "may_write": True,
        "may_use_ai": True,
    }
    assert family["plan"]["limits"]["documents"] == 50
    assert [(seat["name"], seat["is_you"], seat["is_payer"]) for seat in family["seats"]] == [(person.name, True, True)]


async def test_plans_are_for_everybody_to_see(client: httpx.AsyncClient, runtime: Runtime):
    response = await client.get("/v1/payments/plans")

    assert response.headers["cache-control"] == "public, max-age=300"
    plans = response.json()["plans"]
    assert [plan["code"] for plan in plans][:3] == ["free", "plus", "family"]
    assert [(price["interval"], price["amount_cents"]) for price in plans[1]["prices"]] == [
        ("month", 500),
        ("year", 5_000),
    ]
    assert [(pack["credits"], pack["amount_cents"]) for pack in response.json()["credit_packs"]] == [
        (500, 500),
        (2_500, 2_000),
    ]


async def test_a_seat_is_offered_by_mail_claimed_and_shows_nothing_to_strangers(client, payer):
    member, seat_id = await join(client, payer)

    mine = (await client.get(FAMILY, headers=auth(payer))).json()
    theirs = (await client.get(FAMILY, headers=auth(member))).json()

    assert [(seat["name"], seat["email"], seat["state"]) for seat in mine["seats"]] == [
        (payer.name, payer.email, "claimed"),
        (member.name, member.email, "claimed"),
    ]
    assert (theirs["id"], theirs["role"], theirs["plan"]["code"]) == (mine["id"], "member", "family")
    assert [(seat["id"], seat["is_you"], seat["name"]) for seat in theirs["seats"]] == [(seat_id, True, member.name)]
    stranger = await make_user()
    assert (await client.delete(f"{SEATS}/{seat_id}", headers=auth(stranger))).status_code == 404
    assert (await client.post(f"{SEATS}/{seat_id}/resend", headers=auth(stranger))).status_code == 404


async def test_names_and_addresses_of_seats_are_sealed(client, payer):
    member, seat_id = await join(client, payer)

    (row,) = await rows_of(
        "SELECT payments_seats::text AS everything, body FROM payments_seats WHERE id = :id", id=seat_id
    )

    for secret in (member.email, member.name):
        assert secret not in row.everything
        assert secret.encode() not in row.body


async def test_only_the_payer_offers_seats(client, payer):
    member, _ = await join(client, payer)

    response = await client.post(SEATS, json={"email": "x@example.org"}, headers=auth(member))

    assert (response.status_code, response.json()["code"]) == (403, "not-the-payer")
    async with session_scope(Actor.user(member.id)) as session:
        with pytest.raises(NotThePayer):
            await families.require_payer(session, principal_of(member))


async def test_a_token_works_once_and_for_its_address_only(client, payer):
    member, somebody = await make_user(), await make_user()
    await offer(client, payer, member.email)
    token = await token_of(payer, member.email)

    assert (await accept(client, somebody, token)).json()["code"] == "seat-for-somebody-else"
    assert (await accept(client, member, token)).status_code == 200
    assert (await accept(client, member, token)).json()["code"] == "seat-invitation-not-found"
    assert (await accept(client, member, "nonsense")).status_code == 404


async def test_an_offer_that_is_sent_again_voids_the_earlier_token(client, payer):
    member = await make_user()
    seat = await offer(client, payer, member.email)
    first = await token_of(payer, member.email)

    again = await client.post(f"{SEATS}/{seat['id']}/resend", headers=auth(payer))

    assert again.status_code == 200
    assert (await accept(client, member, first)).status_code == 404
    assert (await accept(client, member, await token_of(payer, member.email))).status_code == 200


async def test_an_offer_that_is_too_old_or_taken_back_is_void(client, payer):
    old, gone = await make_user(), await make_user()
    first, second = await offer(client, payer, old.email), await offer(client, payer, gone.email)
    tokens = [await token_of(payer, person.email) for person in (old, gone)]
    await rows_of("UPDATE payments_seats SET expires_at = now() WHERE id = :id RETURNING id", id=UUID(first["id"]))
    assert (await client.delete(f"{SEATS}/{second['id']}", headers=auth(payer))).status_code == 204

    answers = [await accept(client, person, token) for person, token in zip((old, gone), tokens, strict=True)]

    assert [each.json()["code"] for each in answers] == ["seat-invitation-not-found"] * 2


async def test_a_plan_without_room_offers_no_further_seat(client, enforced):
    person = await make_user()

    response = await client.post(SEATS, json={"email": "x@example.org"}, headers=auth(person))

    assert (response.status_code, response.json()["code"]) == (409, "no-seat-left")


async def test_whoever_has_a_plan_of_their_own_ends_it_first(client, payer):
    family_id, member = await make_family()
    subscription = await make_subscription(family_id, plan="plus")
    await offer(client, payer, member.email)
    token = await token_of(payer, member.email)

    assert (await accept(client, member, token)).json()["code"] == "own-plan-first"

    await set_subscription(subscription, state="ended", ended_at=datetime.now(UTC))
    assert (await accept(client, member, token)).status_code == 200


async def test_a_person_has_one_seat_at_a_time(client, payer):
    other_family, other = await make_family()
    await make_subscription(other_family, plan="family")
    member, _ = await join(client, payer)
    await offer(client, other, member.email)

    response = await accept(client, member, await token_of(other, member.email))

    assert (response.status_code, response.json()["code"]) == (409, "in-another-family")
    again = await client.post(SEATS, json={"email": member.email}, headers=auth(payer))
    assert again.json()["code"] == "already-in-family"


async def test_who_leaves_is_on_the_free_plan_and_can_come_back(client, payer):
    member, seat_id = await join(client, payer)

    assert (await client.delete(f"{SEATS}/{seat_id}", headers=auth(member))).status_code == 204

    family = (await client.get(FAMILY, headers=auth(member))).json()
    assert (family["role"], family["plan"]["code"]) == ("payer", "free")
    await offer(client, payer, member.email)
    assert (await accept(client, member, await token_of(payer, member.email))).status_code == 200


async def test_the_payer_keeps_a_seat(client, payer):
    family = (await client.get(FAMILY, headers=auth(payer))).json()

    response = await client.delete(f"{SEATS}/{family['seats'][0]['id']}", headers=auth(payer))

    assert (response.status_code, response.json()["code"]) == (409, "payer-stays")


async def usage_of(user_id: UUID) -> dict[str, int]:
    async with session_scope() as session:
        family_id = await families.family_of(session, user_id)
        return {each.meter: each.used for each in await limits.usage(session, family_id)}


async def consume(person: TestUser, amount: int) -> None:
    async with session_scope() as session:
        await limits.consume_of(session, person.id, "storage_bytes", amount, str(new_id()))


async def test_what_somebody_stored_counts_for_the_family_that_they_are_in(client, payer):
    await consume(payer, 1_000)
    member = await make_user()
    await consume(member, 200)
    seat = await offer(client, payer, member.email)
    await accept(client, member, await token_of(payer, member.email))
    assert (await usage_of(payer.id))["storage_bytes"] == 1_200
    await consume(member, 30)

    await client.delete(f"{SEATS}/{seat['id']}", headers=auth(payer))

    assert (await usage_of(payer.id))["storage_bytes"] == 1_000
    assert (await usage_of(member.id))["storage_bytes"] == 230


async def test_the_family_of_a_deleted_account_goes_home(client, payer):
    member, _ = await join(client, payer)
    family = (await client.get(FAMILY, headers=auth(payer))).json()

    for _ in range(2):
        await close_family(str(payer.id))

    assert (await client.get(FAMILY, headers=auth(member))).json()["plan"]["code"] == "free"
    told = "SELECT count(*) AS told FROM outbox_events WHERE event = :event AND payload->>'family_id' = :id"
    events = await rows_of(told, event="payments.family_closed", id=family["id"])
    assert events[0].told >= 1


@pytest.mark.slow
async def test_sixty_four_people_who_claim_at_once_never_exceed_the_seats(runtime: Runtime, enforced: None):
    family_id, owner = await make_family()
    wide = await make_plan({"seats": 100})
    await grant_plan(family_id, wide)
    people = await asyncio.gather(*(make_user() for _ in range(64)))
    async with session_scope(Actor.user(owner.id)) as session:
        for person in people:
            await seats.invite(session, principal_of(owner), person.email)
    tokens = {person.id: await token_of(owner, person.email) for person in people}
    await grant_plan(family_id, await make_plan({"seats": 6}))  # a smaller plan, while they are on their way

    async def claim(person: TestUser) -> bool:
        try:
            async with session_scope(Actor.user(person.id)) as session:
                principal = Principal(person.id, frozenset(), person.session_id)
                await seats.accept(session, principal, tokens[person.id])
        except NoSeatLeft:
            return False
        return True

    gate = asyncio.Semaphore(24)

    async def gated(person: TestUser) -> bool:
        async with gate:
            return await claim(person)

    claimed = await asyncio.gather(*(gated(person) for person in people))

    assert sum(claimed) == 5  # and the payer
    rows = await rows_of(
        "SELECT count(*) AS seats FROM payments_seats WHERE family_id = :id AND state = 'claimed'", id=family_id
    )
    assert rows[0].seats == 6
    for person, has_seat in zip(people, claimed, strict=True):
        async with session_scope(Actor.user(person.id)) as session:
            assert (await families.family_of(session, person.id) == family_id) == has_seat


async def test_a_family_sees_no_seat_of_another(client, payer):
    member, _ = await join(client, payer)
    other, _ = await make_family()

    async with session_scope(Actor.family(other)) as session:
        seen = (await session.scalars(select(Seat))).all()
    assert {seat.family_id for seat in seen} == {other}
    async with session_scope(Actor.user(member.id)) as session:
        seen = (await session.scalars(select(Seat))).all()
    assert {seat.user_id for seat in seen} == {member.id}
