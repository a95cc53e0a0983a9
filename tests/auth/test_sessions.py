"""Sessions end at once, on purpose or by a new password; people see and end their own only."""

import pytest
from sqlalchemy import func, select, update

from app.auth import purge
from app.auth.devices import device, device_name
from app.auth.models import RefreshToken, User, UserSession
from app.core.security import hash_password
from app.db.session import session_scope
from tests.auth.test_accounts import sign_in, token_in
from tests.conftest import drain_jobs
from tests.db.queries import queries
from tests.factories import PASSWORD, auth, make_user
from tests.notifications.smtp import changed_settings, text_of

pytestmark = pytest.mark.anyio

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Version/19.0 Safari/604.1"
NEW = "a brand new password"


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_after_log_out_the_access_token_is_refused_at_once(visitor):
    user = await make_user()
    elsewhere = (await sign_in(visitor, user.email)).json()

    assert (await visitor.post("/v1/auth/logout", headers=auth(user))).status_code == 204

    refused = await visitor.get("/v1/auth/me", headers=auth(user))
    assert (refused.status_code, refused.json()["code"]) == (401, "session-ended")
    assert (await visitor.post("/v1/auth/refresh", json={"refresh_token": user.refresh_token})).status_code == 401
    assert (await visitor.post("/v1/auth/logout", headers=auth(user))).status_code == 401
    assert (await visitor.get("/v1/auth/me", headers=bearer(elsewhere))).status_code == 200


async def test_log_out_needs_no_scope(visitor):
    user = await make_user(scope="rag:ask")

    assert (await visitor.post("/v1/auth/logout", headers=auth(user))).status_code == 204


async def test_logging_out_everywhere_ends_every_session(visitor):
    user, other = await make_user(), await make_user()
    elsewhere = (await sign_in(visitor, user.email)).json()

    assert (await visitor.post("/v1/auth/logout-everywhere", headers=auth(user))).status_code == 204

    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 401
    assert (await visitor.get("/v1/auth/me", headers=bearer(elsewhere))).status_code == 401
    assert (await visitor.get("/v1/auth/me", headers=auth(other))).status_code == 200


async def test_people_see_their_devices_newest_first(visit):
    user = await make_user()
    await sign_in(visit("198.51.100.1", **{"User-Agent": FIREFOX}), user.email)
    last = (await sign_in(visit("2001:db8::7", **{"User-Agent": SAFARI}), user.email)).json()

    page = (await visit().get("/v1/auth/sessions", headers=bearer(last))).json()

    seen = [(item["device"], item["address"], item["current"]) for item in page["items"]]
    assert seen == [
        ("Safari on iPhone", "2001:db8::7", True),
        ("Firefox on Windows", "198.51.100.1", False),
        ("LifeVault-Tests 1.0", "203.0.113.7", False),
    ]
    assert page["next_cursor"] is None


async def test_the_list_of_sessions_has_pages(visitor):
    user = await make_user()
    for _ in range(2):
        await sign_in(visitor, user.email)

    first = (await visitor.get("/v1/auth/sessions?limit=2", headers=auth(user))).json()
    second = await visitor.get(f"/v1/auth/sessions?limit=2&cursor={first['next_cursor']}", headers=auth(user))

    ids = [item["id"] for item in first["items"] + second.json()["items"]]
    assert len(set(ids)) == 3
    assert second.json()["next_cursor"] is None
    assert (await visitor.get("/v1/auth/sessions?cursor=x", headers=auth(user))).status_code == 400


async def test_a_device_is_signed_out_by_its_owner_only(visitor):
    user, stranger = await make_user(), await make_user()
    elsewhere = (await sign_in(visitor, user.email)).json()
    path = f"/v1/auth/sessions/{user.session_id}"

    by_stranger = await visitor.delete(path, headers=auth(stranger))
    by_owner = await visitor.delete(path, headers=bearer(elsewhere))
    again = await visitor.delete(path, headers=bearer(elsewhere))

    assert (by_stranger.status_code, by_stranger.json()["code"]) == (404, "session-not-found")
    assert (by_owner.status_code, again.status_code) == (204, 404)
    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 401
    assert (await visitor.delete("/v1/auth/sessions/x", headers=bearer(elsewhere))).status_code == 422


async def test_a_session_expires_unless_it_is_refreshed(visitor):
    user = await make_user()
    async with session_scope() as session:
        expired = update(UserSession).where(UserSession.id == user.session_id).values(expires_at=func.now())
        await session.execute(expired)

    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 401
    assert (await visitor.post("/v1/auth/refresh", json={"refresh_token": user.refresh_token})).status_code == 401


async def test_that_somebody_is_there_is_recorded_once_an_hour(visitor):
    user = await make_user()
    async with session_scope() as session:
        long_ago = func.now() - func.make_interval(0, 0, 0, 2)
        await session.execute(
            update(UserSession).where(UserSession.id == user.session_id).values(last_seen_at=long_ago)
        )
        await session.execute(update(User).where(User.id == user.id).values(last_seen_at=long_ago))

    seen = []
    for _ in range(3):
        await visitor.get("/v1/auth/me", headers=auth(user))
        async with session_scope() as session:
            both = select(UserSession.last_seen_at, User.last_seen_at).join(User, User.id == UserSession.user_id)
            seen.append((await session.execute(both.where(UserSession.id == user.session_id))).one())

    assert len(set(seen)) == 1
    assert (seen[0][0] - seen[0][1]).total_seconds() == 0
    async with session_scope() as session:
        age = await session.scalar(select(func.now() - User.last_seen_at).where(User.id == user.id))
    assert age.total_seconds() < 60


async def test_the_check_of_a_request_is_in_the_round_trip_that_begins_its_transaction(visitor, runtime):
    user = await make_user()
    await visitor.get("/v1/auth/me", headers=auth(user))
    async with queries(runtime) as sent:
        await visitor.post("/v1/auth/me", headers=auth(user))  # no such route: nothing is asked
        assert sent == []
        await visitor.patch("/v1/auth/me", json={}, headers=auth(user))

    begin, rollback = sent
    assert begin.startswith("BEGIN; SELECT set_config('app.principal'")
    assert "FROM auth_sessions" in begin
    assert rollback == "ROLLBACK"


async def test_a_new_password_by_the_old_one_ends_the_other_sessions(visitor, settings, mailbox):
    user = await make_user()
    elsewhere = (await sign_in(visitor, user.email)).json()
    body = {"current_password": PASSWORD, "new_password": NEW}

    assert (await visitor.post("/v1/auth/password", json=body, headers=auth(user))).status_code == 204

    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 200
    assert (await visitor.get("/v1/auth/me", headers=bearer(elsewhere))).status_code == 401
    assert (await sign_in(visitor, user.email)).status_code == 401
    assert (await sign_in(visitor, user.email, NEW)).status_code == 200
    await drain_jobs(settings)
    assert "Your password was changed" in [message["Subject"] for message in mailbox.sent_to(user.email)]


async def test_a_new_password_needs_the_old_one_and_must_be_good(visitor):
    user = await make_user(name="Wolfgang Amadeus")
    answers = []
    for current_password, new_password in (
        ("not the password", NEW),
        (PASSWORD, "short-1"),
        (PASSWORD, "wolfgang-amadeus"),
        (PASSWORD, "x" * 5_000),
        (PASSWORD, ""),
    ):
        body = {"current_password": current_password, "new_password": new_password}
        answers.append(await visitor.post("/v1/auth/password", json=body, headers=auth(user)))

    assert [answer.status_code for answer in answers] == [403, 422, 422, 422, 422]
    assert answers[0].json()["code"] == "wrong-password"
    assert answers[1].json()["code"] == answers[2].json()["code"] == "weak-password"
    assert (await sign_in(visitor, user.email)).status_code == 200


async def test_a_thief_of_a_session_can_not_try_passwords_for_ever(visitor):
    user = await make_user()
    body = {"current_password": "not the password", "new_password": NEW}

    statuses = [(await visitor.post("/v1/auth/password", json=body, headers=auth(user))).status_code for _ in range(11)]

    assert statuses == [403] * 10 + [429]


async def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(visitor, settings, mailbox):
    user = await make_user(verified=False)
    asked = await visitor.post("/v1/auth/forgot-password", json={"email": user.email.upper()})
    unknown = await visitor.post("/v1/auth/forgot-password", json={"email": "nobody-at-all@example.com"})
    await drain_jobs(settings)
    [message] = mailbox.sent_to(user.email)
    token = token_in(message)

    weak = await visitor.post("/v1/auth/reset-password", json={"token": token, "password": "Password12345"})
    done = await visitor.post("/v1/auth/reset-password", json={"token": token, "password": NEW})
    again = await visitor.post("/v1/auth/reset-password", json={"token": token, "password": "another new password"})

    assert (asked.status_code, asked.content) == (unknown.status_code, unknown.content)
    assert (asked.status_code, set(asked.json())) == (202, {"detail"})
    assert (weak.status_code, weak.json()["code"]) == (422, "weak-password")
    assert (done.status_code, again.status_code) == (204, 400)
    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 401
    assert (await sign_in(visitor, user.email)).status_code == 401
    tokens = (await sign_in(visitor, user.email, NEW)).json()
    assert (await visitor.get("/v1/auth/me", headers=bearer(tokens))).json()["email_verified"] is True
    await drain_jobs(settings)
    assert "Your password was changed" in [message["Subject"] for message in mailbox.sent_to(user.email)]
    assert mailbox.sent_to("nobody-at-all@example.com") == []


async def test_a_new_password_makes_every_older_link_useless(visitor, settings, mailbox):
    user = await make_user()
    for _ in range(2):
        await visitor.post("/v1/auth/forgot-password", json={"email": user.email})
    await drain_jobs(settings)
    first, second = [token_in(message) for message in mailbox.sent_to(user.email)]

    await visitor.post("/v1/auth/reset-password", json={"token": second, "password": NEW})

    response = await visitor.post("/v1/auth/reset-password", json={"token": first, "password": "another new password"})
    assert response.status_code == 400


async def test_the_page_for_a_new_password_says_what_is_wrong_and_lets_one_try_again(visitor, settings, mailbox):
    user = await make_user()
    await visitor.post("/v1/auth/forgot-password", json={"email": user.email})
    await drain_jobs(settings)
    token = token_in(mailbox.sent_to(user.email)[0])

    shown = await visitor.get("/v1/auth/links/reset", params={"token": token})
    weak = await visitor.post("/v1/auth/links/reset", data={"token": token, "password": "abc"})
    done = await visitor.post("/v1/auth/links/reset", data={"token": token, "password": NEW})

    assert 'type="password"' in shown.text
    assert "form-action 'self'" in shown.headers["content-security-policy"]
    assert (weak.status_code, "at least 10 characters" in weak.text) == (422, True)
    assert done.status_code == 200
    assert (await sign_in(visitor, user.email, NEW)).status_code == 200


async def test_a_sign_in_that_meets_a_change_of_the_password_opens_no_session(visitor):
    import asyncio

    user, another = await make_user(), await hash_password("another password")
    async with session_scope() as session:
        await session.execute(update(User).where(User.id == user.id).values(password_hash=another))
        racing = asyncio.create_task(sign_in(visitor, user.email))
        await asyncio.sleep(0.5)  # the old hash is read and checked; now it waits for the row
        assert not racing.done()

    assert (await racing).status_code == 401


async def test_what_ended_long_ago_is_deleted_and_nothing_else():
    ended, live = await make_user(), await make_user()
    async with session_scope() as session:
        long_ago = func.now() - purge.KEEP_ENDED_SESSIONS - func.make_interval(0, 0, 0, 1)
        await session.execute(update(UserSession).where(UserSession.user_id == ended.id).values(ended_at=long_ago))
        await purge.purge(session)
        kept = await session.scalars(
            select(RefreshToken.session_id).where(RefreshToken.user_id.in_([ended.id, live.id]))
        )

    assert list(kept) == [live.session_id]


async def test_every_request_without_a_token_is_told_to_sign_in(visitor):
    for method, path in (
        ("GET", "/v1/auth/me"),
        ("PATCH", "/v1/auth/me"),
        ("GET", "/v1/auth/sessions"),
        ("DELETE", "/v1/auth/sessions/01a1fbe8-3eef-7d27-809c-9cfaba724faa"),
        ("POST", "/v1/auth/logout"),
        ("POST", "/v1/auth/logout-everywhere"),
        ("POST", "/v1/auth/password"),
    ):
        assert (await visitor.request(method, path)).status_code == 401, path


async def test_the_place_of_a_session_is_not_its_address(runtime):
    here, there = device("", "198.51.100.1"), device("", "198.51.100.2")

    assert here.place == device("x", "198.51.100.1").place != there.place
    assert b"198" not in here.place
    assert device("", "::ffff:198.51.100.1").place == here.place
    assert device("", "unknown").place == device("", "unknown").place


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Windows"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Linux"),
        ("Mozilla/5.0", "Browser"),
        ("curl/8.9.1", "curl 8.9.1"),
        ("LifeVault-iOS/2.1 (build 7)", "LifeVault-iOS 2.1"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("x" * 500, "x" * 60),
    ],
)
def test_a_device_is_called_by_what_its_program_says(user_agent, name):
    assert device_name(user_agent) == name


async def test_another_key_for_tokens_signs_everybody_out(visitor):
    from pydantic import SecretStr

    from tests.conftest import random_key

    user = await make_user()
    with changed_settings(token_keys=SecretStr(f"k2:{random_key()}")) as runtime:
        assert list(runtime.settings.token_key_ring) == ["k2"]
        assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 401


async def test_a_sign_in_from_a_new_device_or_place_is_told_and_a_known_one_is_not(visit, settings, mailbox):
    user = await make_user(user_agent=FIREFOX, address="198.51.100.1")
    await sign_in(visit("198.51.100.1", **{"User-Agent": FIREFOX}), user.email)
    await drain_jobs(settings)
    assert mailbox.sent_to(user.email) == []

    await sign_in(visit("198.51.100.1", **{"User-Agent": SAFARI}), user.email)
    await sign_in(visit("198.51.100.9", **{"User-Agent": FIREFOX}), user.email)
    await sign_in(visit("198.51.100.9", **{"User-Agent": FIREFOX}), user.email)
    await drain_jobs(settings)

    first, second = mailbox.sent_to(user.email)
    assert first["Subject"] == second["Subject"] == "A new sign-in to your LifeVault"
    assert {"Safari on iPhone, 198.51.100.1" in text_of(each) for each in (first, second)} == {True, False}
    assert {"Firefox on Windows, 198.51.100.9" in text_of(each) for each in (first, second)} == {True, False}


async def test_a_device_has_the_name_that_its_owner_gives_it(visitor):
    user, stranger = await make_user(), await make_user()
    path = f"/v1/auth/sessions/{user.session_id}"

    named = await visitor.patch(path, json={"name": "Küchentablet"}, headers=auth(user))
    by_stranger = await visitor.patch(path, json={"name": "Mine"}, headers=auth(stranger))
    bad = [await visitor.patch(path, json=body, headers=auth(user)) for body in ({}, {"name": " "}, {"name": 1})]
    listed = (await visitor.get("/v1/auth/sessions", headers=auth(user))).json()["items"]
    unnamed = await visitor.patch(path, json={"name": None}, headers=auth(user))

    assert (named.status_code, named.json()["name"], named.json()["current"]) == (200, "Küchentablet", True)
    assert (by_stranger.status_code, by_stranger.json()["code"]) == (404, "session-not-found")
    assert [each.status_code for each in bad] == [422] * 3
    assert [(item["name"], item["device"]) for item in listed] == [("Küchentablet", "LifeVault-Tests 1.0")]
    assert unnamed.json()["name"] is None


async def test_a_failed_note_of_the_last_use_is_made_up_for_with_the_next_request(visitor, settings):
    import asyncpg

    user = await make_user()
    async with session_scope() as session:
        long_ago = func.now() - func.make_interval(0, 0, 0, 2)
        mine = UserSession.id == user.session_id
        await session.execute(update(UserSession).where(mine).values(last_seen_at=long_ago))
    owner = await asyncpg.connect(settings.migration_url)
    try:
        await owner.execute("REVOKE UPDATE ON auth_sessions FROM lifevault_app")
        failed = await visitor.get("/v1/auth/me", headers=auth(user))
    finally:
        await owner.execute("GRANT UPDATE ON auth_sessions TO lifevault_app")
        await owner.close()

    assert failed.status_code == 500
    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 200
    async with session_scope() as session:
        age = await session.scalar(select(func.now() - UserSession.last_seen_at).where(mine))
    assert age.total_seconds() < 60
