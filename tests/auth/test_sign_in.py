"""Sign-in, refresh and its rotation, and how often one may try."""

import asyncio
import base64
import re
import socket
import time
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import func, select, update

from app.auth.models import RefreshToken, User
from app.cli.embedded.ports import free_port
from app.core.breaker import Breaker
from app.core.throttle import Limit, Throttle
from app.db.runtime import current
from app.db.session import session_scope
from tests.auth.test_accounts import hashings, new_email, sign_in
from tests.conftest import drain_jobs
from tests.factories import PASSWORD, auth, make_user
from tests.notifications.smtp import changed_settings, text_of

pytestmark = pytest.mark.anyio


def refused_alike(*answers) -> bool:
    """Whether nobody can tell these answers apart."""
    seen = [
        (answer.status_code, {**answer.json(), "request_id": ""}, set(answer.headers) - {"x-request-id"})
        for answer in answers
    ]
    return all(each == seen[0] for each in seen)


async def refresh(client, token: str):
    return await client.post("/v1/auth/refresh", json={"refresh_token": token})


async def me(client, access_token: str) -> int:
    response = await client.get("/v1/auth/me", headers={"Authorization": f"Bearer {access_token}"})
    return response.status_code


async def forget_grace(token: str) -> None:
    """As if the token had been used a minute ago."""
    from app.core.crypto import token_digest

    earlier = RefreshToken.used_at - func.make_interval(0, 0, 0, 0, 0, 1)
    async with session_scope() as session:
        await session.execute(
            update(RefreshToken).where(RefreshToken.digest == token_digest(token)).values(used_at=earlier)
        )


async def test_sign_in_works_by_form_and_by_json(visitor):
    user = await make_user()

    form = await sign_in(visitor, user.email)
    json = await visitor.post("/v1/auth/login", json={"email": user.email, "password": PASSWORD})

    assert form.status_code == json.status_code == 200
    assert form.json().keys() == json.json().keys()
    assert await me(visitor, form.json()["access_token"]) == await me(visitor, json.json()["access_token"]) == 200


async def test_the_form_of_the_documentation_page_is_accepted(visitor):
    user = await make_user()
    form = {"grant_type": "password", "username": user.email, "password": PASSWORD, "scope": "profile"}
    form |= {"client_id": "", "client_secret": ""}

    response = await visitor.post("/v1/auth/token", data=form)

    assert (response.status_code, response.json()["scope"]) == (200, "profile")


async def test_a_token_has_the_scopes_that_were_asked_for_and_keeps_them(visitor):
    user = await make_user()

    some = await visitor.post("/v1/auth/token", data={"username": user.email, "password": PASSWORD, "scope": "rag:ask"})
    every = await sign_in(visitor, user.email)
    unknown = await visitor.post("/v1/auth/token", data={"username": user.email, "password": PASSWORD, "scope": "root"})

    assert some.json()["scope"] == (await refresh(visitor, some.json()["refresh_token"])).json()["scope"] == "rag:ask"
    assert set(every.json()["scope"].split()) >= {"profile", "vault:read", "vault:write", "rag:ask"}
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown-scope")
    assert await me(visitor, some.json()["access_token"]) == 403


async def test_a_wrong_password_and_an_unknown_account_are_answered_alike(visitor):
    user = await make_user()
    answers, work = [], []
    for email in (user.email, new_email(), "no address at all"):
        before = hashings()
        response = await sign_in(visitor, email, "not the password")
        work.append(hashings() - before)
        headers = {name for name in response.headers if name != "x-request-id"}
        answers.append((response.status_code, {**response.json(), "request_id": ""}, headers))

    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401
    assert work == [1, 1, 1]


async def test_in_production_they_take_the_same_work_too(visitor, production):
    user, work = await make_user(), []
    for email in (user.email, new_email()):
        before = hashings()
        await sign_in(visitor, email, "not the password")
        work.append(hashings() - before)

    assert work == [2, 2]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"username": "ada@example.com"},
        {"username": "ada@example.com", "password": ""},
        {"username": "ada@example.com", "password": "x" * 4_097},
        {"username": "ada@example.com", "password": "a\x00b"},
        {"username": "ada\x00@example.com", "password": "x"},
        {"username": "a" * 321, "password": "x"},
        {"username": "ada@example.com", "password": "x", "grant_type": "client_credentials"},
        {"username": "ada@example.com", "password": "x", "admin": "1"},
    ],
)
async def test_a_bad_form_is_refused(visitor, form):
    assert (await visitor.post("/v1/auth/token", data=form)).status_code == 422


async def test_strange_addresses_and_passwords_are_wrong_and_nothing_more(visitor):
    for text in ("ä" * 100, "😀@😀.😀", "' OR 1=1 --", "a@b", "\u202e@example.com", "x" * 320):
        assert (await sign_in(visitor, text, text)).status_code == 401


async def test_a_hash_with_older_parameters_is_replaced_on_sign_in(visitor):
    from passlib.context import CryptContext

    old = CryptContext(["argon2"], argon2__memory_cost=8_192, argon2__time_cost=1, argon2__parallelism=1)
    user = await make_user()
    async with session_scope() as session:
        await session.execute(update(User).where(User.id == user.id).values(password_hash=old.hash(PASSWORD)))

    assert (await sign_in(visitor, user.email)).status_code == 200

    async with session_scope() as session:
        replaced = await session.scalar(select(User.password_hash).where(User.id == user.id))
    assert replaced.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await sign_in(visitor, user.email)).status_code == 200


async def test_a_refresh_token_is_exchanged_for_a_new_pair(visitor):
    user = await make_user()

    pair = (await refresh(visitor, user.refresh_token)).json()

    assert pair["refresh_token"] != user.refresh_token
    assert await me(visitor, pair["access_token"]) == await me(visitor, user.access_token) == 200
    assert (await refresh(visitor, pair["refresh_token"])).status_code == 200


async def test_a_used_refresh_token_ends_the_session_on_every_side(visitor, settings, mailbox):
    user, other = await make_user(), await make_user()
    pair = (await refresh(visitor, user.refresh_token)).json()
    await forget_grace(user.refresh_token)

    reused = await refresh(visitor, user.refresh_token)

    assert (reused.status_code, reused.json()["code"]) == (401, "invalid-refresh-token")
    assert await me(visitor, pair["access_token"]) == await me(visitor, user.access_token) == 401
    assert (await refresh(visitor, pair["refresh_token"])).status_code == 401
    assert await me(visitor, other.access_token) == 200
    await drain_jobs(settings)
    assert [message["Subject"] for message in mailbox.sent_to(user.email)] == [
        "A device was signed out for your safety"
    ]


async def test_a_client_that_missed_the_answer_may_repeat_the_refresh(visitor):
    user = await make_user()
    missed = (await refresh(visitor, user.refresh_token)).json()

    repeated = await refresh(visitor, user.refresh_token)

    assert repeated.status_code == 200
    assert (await refresh(visitor, repeated.json()["refresh_token"])).status_code == 200
    assert (await refresh(visitor, missed["refresh_token"])).status_code == 401
    assert await me(visitor, repeated.json()["access_token"]) == 401  # two hold tokens of one session: it has ended


async def test_a_refresh_is_not_repeated_once_its_successor_was_used(visitor):
    user = await make_user()
    successor = (await refresh(visitor, user.refresh_token)).json()
    await refresh(visitor, successor["refresh_token"])

    assert (await refresh(visitor, user.refresh_token)).status_code == 401
    assert await me(visitor, user.access_token) == 401


async def test_of_many_refreshes_at_once_one_token_survives(visitor):
    user = await make_user()

    answers = await asyncio.gather(*(refresh(visitor, user.refresh_token) for _ in range(8)))

    async with session_scope() as session:
        unused = select(func.count()).where(RefreshToken.user_id == user.id, RefreshToken.used_at.is_(None))
        assert await session.scalar(unused) == 1
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "a.b.c", "x" * 129, "ä" * 43])
async def test_what_is_no_refresh_token_is_refused(visitor, token):
    assert (await refresh(visitor, token)).status_code in (401, 422)


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(visitor):
    user = await make_user()

    assert (await refresh(visitor, user.access_token)).status_code in (401, 422)
    assert await me(visitor, user.refresh_token) == 401


async def test_too_many_attempts_for_an_account_from_one_place_are_stopped(visit):
    user, visitor = await make_user(), visit()

    statuses = [(await sign_in(visitor, user.email, "not the password")).status_code for _ in range(10)]
    before = hashings()
    stopped = await sign_in(visitor, user.email)

    assert statuses == [401] * 10
    assert (stopped.status_code, stopped.json()["code"]) == (429, "too-many-attempts")
    assert 0 < int(stopped.headers["retry-after"]) <= current().settings.sign_in_window_seconds
    assert hashings() == before
    assert (await sign_in(visit(), user.email)).status_code == 200


async def test_attempts_at_once_are_counted_before_any_password_is_looked_at(visitor):
    user, before = await make_user(), hashings()

    answers = await asyncio.gather(*(sign_in(visitor, user.email, "not the password") for _ in range(40)))

    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 30
    assert hashings() - before == 10


async def test_an_unknown_account_is_throttled_in_the_same_way(visitor):
    email = new_email()

    statuses = [(await sign_in(visitor, email, "not the password")).status_code for _ in range(11)]

    assert statuses == [401] * 10 + [429]


async def test_a_successful_sign_in_forgets_the_failures(visitor):
    user = await make_user()
    for _ in range(2):
        for _ in range(9):
            await sign_in(visitor, user.email, "not the password")
        assert (await sign_in(visitor, user.email)).status_code == 200


async def test_somebody_who_tries_many_accounts_from_one_place_is_stopped(visit):
    with changed_settings(sign_in_attempts=2):
        visitor = visit()
        statuses = [(await sign_in(visitor, new_email(), "not the password")).status_code for _ in range(11)]

        assert statuses == [401] * 10 + [429]
        assert (await sign_in(visit(), new_email(), "not the password")).status_code == 401


async def test_nobody_can_lock_the_owner_out_where_they_have_signed_in_before(visit):
    with changed_settings(sign_in_attempts=2):
        user = await make_user()
        home = visit()
        await sign_in(home, user.email)
        for _ in range(10):
            attacker = visit()
            for _ in range(2):
                await sign_in(attacker, user.email, "not the password")

        assert (await sign_in(visit(), user.email)).status_code == 429
        assert (await sign_in(home, user.email)).status_code == 200


async def test_addresses_of_one_ipv6_network_are_one_place(visit):
    user = await make_user()
    for last in range(10):
        await sign_in(visit(f"2001:db8:0:7::{last}"), user.email, "not the password")

    assert (await sign_in(visit("2001:db8:0:7:ffff::1"), user.email)).status_code == 429
    assert (await sign_in(visit("2001:db8:0:8::1"), user.email)).status_code == 200


async def test_a_forwarded_address_is_not_believed(visit):
    user, statuses = await make_user(), []
    visitor = visit()
    for number in range(11):
        visitor.headers["X-Forwarded-For"] = f"198.51.100.{number}"
        statuses.append((await sign_in(visitor, user.email, "not the password")).status_code)

    assert statuses[-1] == 429


async def test_registrations_from_one_place_are_throttled(visit):
    with changed_settings(anonymous_rate_limit_per_minute=1):
        visitor = visit()
        answers = [await visitor.post("/v1/auth/forgot-password", json={"email": new_email()}) for _ in range(6)]

    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] in ("too-many-attempts", "rate-exceeded")


async def test_without_redis_attempts_are_counted_all_the_same_and_fast():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        redis = Redis(host="127.0.0.1", port=silent.getsockname()[1], socket_timeout=0.25, retry=Retry(NoBackoff(), 0))
        throttle, limit = Throttle(redis, 0.25, Breaker("test", failures=1)), Limit("test", 3, 60)
        started = time.perf_counter()

        waits = [await throttle.hit(limit, "somebody") for _ in range(5)]

        assert time.perf_counter() - started < 0.6
        assert [wait > 0 for wait in waits] == [False, False, False, True, True]
        await redis.aclose()


async def test_redis_is_asked_again_after_a_pause(runtime):
    port, limit, somebody = free_port(), Limit("test-again", 1, 60), uuid4().hex
    options = runtime.redis.connection_pool.connection_kwargs
    away = Redis(host="127.0.0.1", port=port, password=options["password"], retry=Retry(NoBackoff(), 0))
    throttle = Throttle(away, 1.0, Breaker("test", failures=1, pause_seconds=0))
    others = Throttle(runtime.redis, 1.0, Breaker("test"))
    await throttle.hit(limit, somebody)
    assert await others.full(limit, somebody) == 0

    async with await forward(port, options["port"]):
        await throttle.hit(limit, somebody)
        assert await others.full(limit, somebody) > 0
        await throttle.clear(limit, somebody)
        assert await others.full(limit, somebody) == 0
        await away.aclose()


async def forward(port: int, target: int) -> asyncio.Server:
    """A server that carries one connection at a time to another port."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(4_096):
            sink.write(data)
        sink.close()
        await sink.wait_closed()

    return await asyncio.start_server(carry, "127.0.0.1", port)


async def test_sign_in_works_while_redis_is_gone(visit):
    with changed_settings(redis_url=SecretStr("redis://127.0.0.1:1")) as runtime:
        assert runtime.redis.connection_pool.connection_kwargs["port"] == 1
        user, visitor = await make_user(), visit()

        assert (await sign_in(visitor, user.email)).status_code == 200
        for _ in range(10):
            await sign_in(visitor, user.email, "not the password")
        assert (await sign_in(visitor, user.email)).status_code == 429


async def test_nothing_readable_about_people_is_kept_in_redis(visit, runtime):
    user, visitor = await make_user(), visit("198.51.100.77")
    await sign_in(visitor, user.email, "not the password")
    await visitor.post("/v1/auth/forgot-password", json={"email": user.email})

    kept = b" ".join([key async for key in runtime.redis.scan_iter("*")])

    assert b"throttle" in kept
    for word in (user.email, "198.51.100.77"):
        assert word.encode() not in kept
        assert base64.b64encode(word.encode()).rstrip(b"=") not in kept
        assert word.encode().hex().encode() not in kept
    assert not re.search(rb"@", kept)


async def test_the_mail_about_a_compromised_session_names_nobody_else(visitor, settings, mailbox):
    user = await make_user(name="Grace")
    await refresh(visitor, user.refresh_token)
    await forget_grace(user.refresh_token)
    await refresh(visitor, user.refresh_token)
    await drain_jobs(settings)

    assert text_of(mailbox.sent_to(user.email)[0]).startswith("Hello Grace,")


async def test_headers_of_two_people_are_never_mixed_up(visitor):
    people = [await make_user() for _ in range(5)]

    answers = await asyncio.gather(
        *(visitor.get("/v1/auth/me", headers=auth(person)) for person in people for _ in range(4))
    )

    assert [answer.json()["email"] for answer in answers] == [person.email for person in people for _ in range(4)]
