"""Registration, confirmation of the address, and one's own account."""

import re
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from app.auth import purge
from app.auth.models import User
from app.core.security import NOBODYS_HASH, _context
from app.db.models import DataKeyRow
from app.db.session import session_scope
from tests.conftest import drain_jobs
from tests.factories import PASSWORD, auth, make_user
from tests.notifications.smtp import html_of, text_of
from tests.stack import TOKEN_SECONDS

pytestmark = pytest.mark.anyio


def new_email() -> str:
    return f"{uuid4().hex}@example.com"


def registration(**changes: str) -> dict[str, str]:
    return {"email": new_email(), "password": PASSWORD, "name": "Ada Lovelace"} | changes


def hashings() -> float:
    return REGISTRY.get_sample_value("lifevault_password_hashings_total") or 0.0


def token_in(message) -> str:
    found = re.search(r"token=([\w-]{43})", text_of(message))
    assert found is not None
    return found[1]


async def sign_in(client, email: str, password: str = PASSWORD):
    return await client.post("/v1/auth/token", data={"username": email, "password": password})


async def test_somebody_registers_signs_in_and_sees_their_account(visitor):
    data = registration()

    registered = await visitor.post("/v1/auth/register", json=data)
    tokens = (await sign_in(visitor, data["email"])).json()
    me = await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert registered.status_code == 201
    assert registered.json() == {"id": me.json()["id"], "email": data["email"], "name": "Ada Lovelace"}
    assert {**me.json(), "created_at": ""} == {
        **registered.json(),
        "email_verified": False,
        "deletion_at": None,
        "created_at": "",
    }
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == TOKEN_SECONDS


async def test_an_address_is_found_however_it_is_spelt(visitor):
    name = uuid4().hex
    await visitor.post("/v1/auth/register", json=registration(email=f"  Ada.{name}@EXAMPLE.com "))

    assert (await sign_in(visitor, f"ada.{name.upper()}@example.COM")).status_code == 200


async def test_a_password_is_the_same_however_a_keyboard_composes_it(visitor):
    data = registration(password="naïve café owner")
    await visitor.post("/v1/auth/register", json=data)

    assert (await sign_in(visitor, data["email"], "nai\u0308ve cafe\u0301 owner")).status_code == 200


BAD_BODIES = {
    "nothing": {},
    "no name": {"name": None},
    "an empty name": {"name": "  "},
    "a long name": {"name": "x" * 201},
    "a control character": {"name": "Ada\x00"},
    "no address": {"email": "ada"},
    "a long address": {"email": "a" * 250 + "@example.com"},
    "a line break in the address": {"email": "ada@example.com\nBcc: eve@example.com"},
    "a short password": {"password": "short-1"},
    "a long password": {"password": "x y" * 2_000},
    "a NUL in the password": {"password": "correct\x00horse battery"},
    "a common password": {"password": "Passw0rd!2024"},
    "a field nobody knows": {"admin": "true"},
}


@pytest.mark.parametrize("changes", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_bad_registration_is_refused_and_not_repeated(visitor, changes):
    body = registration(**changes) if changes else {}

    response = await visitor.post("/v1/auth/register", json=body)

    assert response.status_code == 422
    assert not any(value and value in response.text for value in (body.get("password"), body.get("email")))


async def test_registering_an_address_again_looks_and_costs_the_same(visitor, session):
    data = registration()
    before = hashings()
    first = await visitor.post("/v1/auth/register", json=data)
    between = hashings()
    second = await visitor.post("/v1/auth/register", json=data | {"password": "another fine password"})
    after = hashings()

    assert (first.status_code, first.json().keys()) == (second.status_code, second.json().keys())
    assert {**first.json(), "id": ""} == {**second.json(), "id": ""}
    assert dict(first.headers).keys() == dict(second.headers).keys()
    assert between - before == after - between == 1
    assert (await sign_in(visitor, data["email"], "another fine password")).status_code == 401
    assert (await sign_in(visitor, data["email"])).status_code == 200
    ghost = second.json()["id"]
    assert await session.scalar(select(func.count()).where(DataKeyRow.owner_id == ghost)) == 0
    assert await session.scalar(select(func.count()).where(User.id == ghost)) == 0


async def test_the_owner_is_told_when_their_address_is_registered_again(visitor, settings, mailbox):
    user = await make_user(name="Grace Hopper")

    await visitor.post("/v1/auth/register", json=registration(email=user.email, name="Eve"))
    await drain_jobs(settings)

    [message] = mailbox.sent_to(user.email)
    assert message["Subject"] == "You have an account already"
    assert "Hello Grace Hopper," in text_of(message)
    assert "Eve" not in text_of(message)


async def test_an_address_is_confirmed_by_the_link_in_the_mail_once(visitor, settings, mailbox):
    data = registration()
    await visitor.post("/v1/auth/register", json=data)
    await drain_jobs(settings)
    token = token_in(mailbox.sent_to(data["email"])[0])

    first = await visitor.post("/v1/auth/verify-email", json={"token": token})
    second = await visitor.post("/v1/auth/verify-email", json={"token": token})

    assert first.status_code == 204
    assert (second.status_code, second.json()["code"]) == (400, "invalid-link")
    access_token = (await sign_in(visitor, data["email"])).json()["access_token"]
    me = await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {access_token}"})
    assert me.json()["email_verified"] is True


async def test_the_link_in_the_mail_leads_to_a_page_whose_button_confirms(visitor, settings, mailbox):
    data = registration()
    await visitor.post("/v1/auth/register", json=data)
    await drain_jobs(settings)
    message = mailbox.sent_to(data["email"])[0]
    link = re.search(r'href="([^"]+)"', html_of(message))[1].removeprefix(settings.public_url)

    shown = await visitor.get(link)
    again = await visitor.get(link)
    confirmed = await visitor.post("/v1/auth/links/verify", data={"token": token_in(message)})
    used = await visitor.post("/v1/auth/links/verify", data={"token": token_in(message)})

    assert (shown.status_code, again.status_code) == (200, 200)
    assert '<form method="post">' in shown.text
    assert "is confirmed" in confirmed.text
    assert (used.status_code, "not valid any more" in used.text) == (400, True)


@pytest.mark.parametrize("token", ["x", "A" * 43, '"><script>', "a b", "x" * 200])
async def test_a_link_that_is_not_ours_confirms_nothing(visitor, token):
    response = await visitor.post("/v1/auth/verify-email", json={"token": token})
    page = await visitor.get("/v1/auth/links/verify", params={"token": token})

    assert response.status_code in (400, 422)
    assert "<script" not in page.text


async def test_a_link_expires(visitor, settings, mailbox, session):
    from app.auth.models import Link

    data = registration()
    await visitor.post("/v1/auth/register", json=data)
    await drain_jobs(settings)
    token = token_in(mailbox.sent_to(data["email"])[0])
    async with session_scope() as other:
        from app.core.crypto import token_digest

        link = await other.scalar(select(Link).where(Link.digest == token_digest(token)))
        link.expires_at = link.created_at

    assert (await visitor.post("/v1/auth/verify-email", json={"token": token})).status_code == 400


async def test_a_link_of_one_kind_is_of_no_use_for_the_other(visitor, settings, mailbox):
    data = registration()
    await visitor.post("/v1/auth/register", json=data)
    await drain_jobs(settings)
    token = token_in(mailbox.sent_to(data["email"])[0])

    response = await visitor.post("/v1/auth/reset-password", json={"token": token, "password": "a new fine password"})

    assert response.status_code == 400


async def test_in_production_an_account_works_only_once_its_address_is_confirmed(
    visitor, settings, mailbox, production
):
    data = registration()
    await visitor.post("/v1/auth/register", json=data)

    right = await sign_in(visitor, data["email"])
    wrong = await sign_in(visitor, data["email"], "not the password")

    assert (right.status_code, right.json()["code"]) == (403, "email-not-verified")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid-credentials")
    await drain_jobs(settings)
    await visitor.post("/v1/auth/verify-email", json={"token": token_in(mailbox.sent_to(data["email"])[0])})
    assert (await sign_in(visitor, data["email"])).status_code == 200


async def test_in_production_registering_and_signing_in_does_not_tell_whether_there_was_an_account(visitor, production):
    user = await make_user()
    new, known = registration(password="a guess of mine"), registration(email=user.email, password="a guess of mine")
    answers = []
    for data in (new, known):
        await visitor.post("/v1/auth/register", json=data)
        before = hashings()
        right = await sign_in(visitor, data["email"], data["password"])
        wrong = await sign_in(visitor, data["email"], "not the password")
        answers.append((right.status_code, right.json()["code"], wrong.status_code, wrong.json()["code"]))
        if data is known:
            assert hashings() - before == 4

    assert answers[0] == answers[1] == (403, "email-not-verified", 401, "invalid-credentials")
    assert (await sign_in(visitor, user.email)).status_code == 200


async def test_in_production_the_owner_of_an_address_replaces_what_somebody_else_registered(
    visitor, settings, mailbox, production
):
    email = new_email()
    await visitor.post("/v1/auth/register", json=registration(email=email, password="the thief waits here", name="Eve"))
    await drain_jobs(settings)
    await visitor.post("/v1/auth/register", json=registration(email=email, password="the owner comes home"))
    await drain_jobs(settings)
    first, second = mailbox.sent_to(email)

    assert (await visitor.post("/v1/auth/verify-email", json={"token": token_in(first)})).status_code == 400
    assert (await visitor.post("/v1/auth/verify-email", json={"token": token_in(second)})).status_code == 204
    assert (await sign_in(visitor, email, "the thief waits here")).status_code == 401
    assert (await sign_in(visitor, email, "the owner comes home")).status_code == 200


async def test_in_production_accounts_that_nobody_confirmed_are_deleted_after_a_week(production):
    old, young = await make_user(verified=False), await make_user(verified=False)
    async with session_scope() as session:
        user = await session.get(User, old.id)
        user.created_at -= purge.KEEP_UNCONFIRMED
    async with session_scope() as session:
        await purge.purge(session)

    async with session_scope() as session:
        assert await session.get(User, old.id) is None
        assert await session.scalar(select(func.count()).where(DataKeyRow.owner_id == old.id)) == 0
        assert await session.get(User, young.id) is not None


async def test_the_link_is_sent_again_only_where_it_is_needed(visitor, settings, mailbox):
    waiting, confirmed, unknown = await make_user(verified=False), await make_user(), new_email()

    answers = [
        await visitor.post("/v1/auth/verify-email/resend", json={"email": email})
        for email in (waiting.email, confirmed.email, unknown)
    ]
    await drain_jobs(settings)

    assert {answer.status_code for answer in answers} == {202}
    assert [set(answer.json()) for answer in answers] == [{"detail"}] * 3
    assert len({answer.content for answer in answers}) == 1
    assert len(mailbox.sent_to(waiting.email)) == 1
    assert mailbox.sent_to(confirmed.email) == mailbox.sent_to(unknown) == []


async def test_nobody_can_fill_the_mailbox_of_somebody_else(visitor, settings, mailbox):
    user = await make_user(verified=False)

    statuses = {
        (await visitor.post("/v1/auth/forgot-password", json={"email": user.email})).status_code for _ in range(9)
    }
    await drain_jobs(settings)

    assert statuses == {202}
    assert len(mailbox.sent_to(user.email)) == 5


async def test_a_person_changes_their_name(visitor):
    user = await make_user()

    changed = await visitor.patch("/v1/auth/me", json={"name": "Ada King"}, headers=auth(user))
    bad = await visitor.patch("/v1/auth/me", json={"email": "new@example.com"}, headers=auth(user))

    assert (changed.status_code, changed.json()["name"]) == (200, "Ada King")
    assert (await visitor.get("/v1/auth/me", headers=auth(user))).json() == changed.json()
    assert bad.status_code == 422


async def test_a_token_without_the_scope_may_not_see_the_account(visitor):
    user = await make_user(scope="vault:read")

    response = await visitor.get("/v1/auth/me", headers=auth(user))

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


def test_unknown_accounts_are_checked_with_the_parameters_in_use():
    assert not _context().needs_update(NOBODYS_HASH)
