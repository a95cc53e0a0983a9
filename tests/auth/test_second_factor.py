"""Authenticator apps, recovery codes, the second step of a sign-in, and step-up."""

import asyncio
import base64
import time

import pytest
from sqlalchemy import func, select, text, update

from app.auth import challenges, one_time
from app.auth.models import Challenge, RecoveryCode, Totp, User
from app.core.security import hash_password
from app.db.runtime import current
from app.db.session import Actor, session_scope
from tests.auth.test_accounts import new_email, sign_in
from tests.auth.test_api_keys import grow_old
from tests.auth.test_sign_in import me, refused_alike
from tests.conftest import drain_jobs
from tests.factories import PASSWORD, auth, make_user
from tests.notifications.smtp import changed_settings

pytestmark = pytest.mark.anyio
FINISH = "/v1/auth/token/second-factor"
WRONG_RECOVERY_CODE = "2222-2222-2222-2222"


class App:
    """An authenticator app that gives two codes: of the present time step, and of the one after."""

    def __init__(self, secret: str) -> None:
        self.secret = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.step = int(time.time()) // 30 - 1

    def code(self) -> str:
        self.step += 1
        return one_time.code_at(self.secret, self.step)

    def wrong(self) -> str:
        near = {one_time.code_at(self.secret, int(time.time()) // 30 + drift) for drift in range(-3, 4)}
        return next(code for code in ("000000", *(f"{n:06}" for n in range(1, 9))) if code not in near)


async def set_up(client, user) -> tuple[App, list[str]]:
    """An app that was confirmed by its first code, and the recovery codes."""
    made = await client.post("/v1/auth/totp", headers=auth(user))
    assert made.status_code == 201, made.text
    app = App(made.json()["secret"])
    confirmed = await client.post("/v1/auth/totp/confirm", json={"code": app.code()}, headers=auth(user))
    assert confirmed.status_code == 200, confirmed.text
    return app, confirmed.json()["recovery_codes"]


async def challenge_of(client, user) -> str:
    asked = await sign_in(client, user.email)
    assert (asked.status_code, asked.json()["code"]) == (401, "second-factor-required")
    return asked.json()["challenge"]


def count(answers) -> list[int]:
    return sorted(answer.status_code for answer in answers)


# RFC 6238, appendix B, SHA-1, the last six of its eight digits
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds, code):
    secret = b"12345678901234567890"

    assert one_time.code_at(secret, seconds // 30) == code
    assert one_time.matching_step(secret, code, None, seconds) == seconds // 30


def test_a_code_is_right_one_step_early_or_late_and_never_twice():
    secret = one_time.new_secret()
    code = one_time.code_at(secret, 1_000)

    right = [step for step in range(990, 1_010) if one_time.matching_step(secret, code, None, step * 30) is not None]

    assert right == [999, 1_000, 1_001]
    assert one_time.matching_step(secret, code, 1_000, 30_000) is None
    assert one_time.matching_step(secret, code, 999, 30_000) == 1_000
    assert one_time.matching_step(secret, "٠" * 6, None, 30_000) is None


async def test_an_app_is_set_up_by_secret_uri_or_picture(visitor):
    user = await make_user()

    setup = (await visitor.post("/v1/auth/totp", headers=auth(user))).json()

    assert setup["uri"].startswith("otpauth://totp/LifeVault%3A")
    assert f"secret={setup['secret']}&issuer=LifeVault" in setup["uri"]
    assert setup["qr_svg"].startswith("<svg")
    assert len(base64.b32decode(setup["secret"])) == 20
    assert (await sign_in(visitor, user.email)).status_code == 200  # it does not count before it is confirmed


async def test_after_it_is_confirmed_a_password_alone_opens_nothing(visitor):
    user = await make_user()
    app, codes = await set_up(visitor, user)

    asked = await sign_in(visitor, user.email)
    body = {"challenge": asked.json()["challenge"], "code": app.code()}
    finished = await visitor.post(FINISH, json=body)

    assert (asked.status_code, asked.json()["code"]) == (401, "second-factor-required")
    assert asked.json()["methods"] == ["code", "recovery_code"]
    assert asked.json()["passkey_options"] is None
    assert "access_token" not in asked.json()
    assert finished.status_code == 200
    assert await me(visitor, finished.json()["access_token"]) == 200
    assert len(set(codes)) == 10


async def test_the_form_takes_a_code_of_the_app_or_a_recovery_code(visitor):
    user = await make_user()
    app, codes = await set_up(visitor, user)
    form = {"username": user.email, "password": PASSWORD}

    by_code = await visitor.post("/v1/auth/token", data=form | {"otp": app.code()})
    by_recovery_code = await visitor.post("/v1/auth/token", data=form | {"otp": codes[0].upper().replace("-", " ")})
    by_json = await visitor.post("/v1/auth/login", json={"email": user.email, "password": PASSWORD, "otp": codes[1]})
    again = await visitor.post("/v1/auth/token", data=form | {"otp": codes[0]})
    wrong = await visitor.post("/v1/auth/token", data=form | {"otp": app.wrong()})
    empty = await visitor.post("/v1/auth/token", data=form | {"otp": ""})

    assert [each.status_code for each in (by_code, by_recovery_code, by_json)] == [200, 200, 200]
    assert [(each.status_code, each.json()["code"]) for each in (again, wrong, empty)] == [
        (401, "invalid-second-factor"),
        (401, "invalid-second-factor"),
        (401, "second-factor-required"),
    ]


async def test_the_right_code_with_a_wrong_password_tells_nothing(visitor):
    user, plain = await make_user(), await make_user()
    app, _ = await set_up(visitor, user)

    answers = [
        await visitor.post("/v1/auth/token", data={"username": email, "password": "not the password", "otp": code})
        for email, code in (
            (user.email, app.code()),
            (user.email, "123456"),
            (plain.email, "123456"),
            (new_email(), ""),
        )
    ]

    assert answers[0].json()["code"] == "invalid-credentials"
    assert refused_alike(*answers)


async def test_a_code_works_once(visitor):
    user = await make_user()
    app, _ = await set_up(visitor, user)
    code = app.code()
    first, second = await challenge_of(visitor, user), await challenge_of(visitor, user)

    used = await visitor.post(FINISH, json={"challenge": first, "code": code})
    replayed = await visitor.post(FINISH, json={"challenge": second, "code": code})

    assert (used.status_code, replayed.status_code) == (200, 401)
    assert replayed.json()["code"] == "invalid-second-factor"


async def test_the_code_that_confirmed_the_app_does_not_sign_in(visitor):
    user = await make_user()
    made = (await visitor.post("/v1/auth/totp", headers=auth(user))).json()
    code = App(made["secret"]).code()
    await visitor.post("/v1/auth/totp/confirm", json={"code": code}, headers=auth(user))

    answer = await visitor.post(FINISH, json={"challenge": await challenge_of(visitor, user), "code": code})

    assert answer.status_code == 401


async def test_of_many_who_use_one_code_at_once_one_gets_in(visitor):
    user = await make_user()
    app, codes = await set_up(visitor, user)
    code = app.code()

    for proof in ({"code": code}, {"recovery_code": codes[3]}):
        asked = [await challenge_of(visitor, user) for _ in range(4)]
        racing = [visitor.post(FINISH, json={"challenge": challenge, **proof}) for challenge in asked]
        assert count(await asyncio.gather(*racing)) == [200, 401, 401, 401]


async def test_of_many_who_answer_one_challenge_at_once_one_gets_in(visitor):
    user = await make_user()
    _, codes = await set_up(visitor, user)
    challenge = await challenge_of(visitor, user)

    answers = await asyncio.gather(
        *(visitor.post(FINISH, json={"challenge": challenge, "recovery_code": code}) for code in codes[:4])
    )

    assert count(answers) == [200, 401, 401, 401]
    async with session_scope() as session:
        unused = RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None)
        assert await session.scalar(select(func.count()).where(*unused)) == 9


async def test_a_challenge_is_void_after_it_was_answered_or_expired_or_guessed_at(visitor):
    user = await make_user()
    _, codes = await set_up(visitor, user)
    used, expired, guessed = [await challenge_of(visitor, user) for _ in range(3)]
    await visitor.post(FINISH, json={"challenge": used, "recovery_code": codes[0]})
    async with session_scope() as session:
        digest = challenges.token_digest(expired)
        await session.execute(update(Challenge).where(Challenge.digest == digest).values(expires_at=func.now()))
    for _ in range(challenges.MOST_ATTEMPTS):
        wrong = await visitor.post(FINISH, json={"challenge": guessed, "recovery_code": WRONG_RECOVERY_CODE})
        assert wrong.json()["code"] == "invalid-second-factor"

    answers = [
        await visitor.post(FINISH, json={"challenge": challenge, "recovery_code": codes[1]})
        for challenge in (used, expired, guessed, "x" * 43)
    ]

    assert [answer.json()["code"] for answer in answers] == ["invalid-challenge"] * 4
    assert refused_alike(*answers)


async def test_a_challenge_of_one_person_is_not_answered_by_the_code_of_another(visitor):
    user, thief = await make_user(), await make_user()
    await set_up(visitor, user)
    app, codes = await set_up(visitor, thief)
    challenge = await challenge_of(visitor, user)

    by_code = await visitor.post(FINISH, json={"challenge": challenge, "code": app.code()})
    by_recovery_code = await visitor.post(FINISH, json={"challenge": challenge, "recovery_code": codes[0]})

    assert (by_code.status_code, by_recovery_code.status_code) == (401, 401)


async def test_a_new_password_voids_the_challenges_of_the_old_one(visitor):
    user = await make_user()
    _, codes = await set_up(visitor, user)
    challenge = await challenge_of(visitor, user)
    body = {"current_password": PASSWORD, "new_password": "a brand new password"}
    assert (await visitor.post("/v1/auth/password", json=body, headers=auth(user))).status_code == 204

    answer = await visitor.post(FINISH, json={"challenge": challenge, "recovery_code": codes[0]})

    assert answer.json()["code"] == "invalid-challenge"


async def test_a_second_step_that_meets_a_change_of_the_password_opens_no_session(visitor):
    user, another = await make_user(), await hash_password("another password")
    _, codes = await set_up(visitor, user)
    challenge = await challenge_of(visitor, user)
    async with session_scope() as session:
        await session.execute(update(User).where(User.id == user.id).values(password_hash=another))
        body = {"challenge": challenge, "recovery_code": codes[0]}
        racing = asyncio.create_task(visitor.post(FINISH, json=body))
        while not await somebody_waits_for(session):
            pass
        await challenges.void(session, user.id)

    assert (await racing).json()["code"] == "invalid-challenge"


async def somebody_waits_for(session) -> bool:
    """Whether another transaction waits for a lock that this one holds."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return bool(await session.scalar(text(waiting)))


async def test_codes_are_not_guessed_for_long(visit):
    user = await make_user()
    with changed_settings(second_factor_attempts=3):
        app, _ = await set_up(visit(), user)
        thieves = [visit() for _ in range(4)]
        statuses = []
        for thief in thieves:
            challenge = await challenge_of(thief, user)
            guess = {"challenge": challenge, "code": app.wrong()}
            statuses += [(await thief.post(FINISH, json=guess)).status_code for _ in range(4)]

        assert statuses == [401, 401, 401, 429] * 2 + [429] * 8
        home = visit("203.0.113.7")  # where the owner has signed in before
        finished = await home.post(FINISH, json={"challenge": await challenge_of(home, user), "code": app.code()})
        assert finished.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"challenge": "x"},
        {"code": "123456"},
        {"challenge": "x", "code": "12345"},
        {"challenge": "x", "code": "1234567"},
        {"challenge": "x", "code": "12345٣"},
        {"challenge": "x", "code": 123456},
        {"challenge": "x", "recovery_code": ""},
        {"challenge": "x", "recovery_code": "x" * 41},
        {"challenge": "x", "passkey": "x"},
        {"challenge": "x", "code": "123456", "recovery_code": "x"},
        {"challenge": "a b", "code": "123456"},
        {"challenge": "x", "code": "123456", "admin": True},
    ],
)
async def test_a_bad_answer_is_refused(visitor, body):
    assert (await visitor.post(FINISH, json=body)).status_code == 422


async def test_an_app_is_confirmed_by_its_code_only_and_replaced_only_when_removed(visitor):
    user = await make_user()
    before = await visitor.post("/v1/auth/totp/confirm", json={"code": "123456"}, headers=auth(user))
    first = App((await visitor.post("/v1/auth/totp", headers=auth(user))).json()["secret"])
    second = App((await visitor.post("/v1/auth/totp", headers=auth(user))).json()["secret"])

    by_first = await visitor.post("/v1/auth/totp/confirm", json={"code": first.code()}, headers=auth(user))
    by_second = await visitor.post("/v1/auth/totp/confirm", json={"code": second.code()}, headers=auth(user))
    third = await visitor.post("/v1/auth/totp", headers=auth(user))
    again = await visitor.post("/v1/auth/totp/confirm", json={"code": second.code()}, headers=auth(user))

    assert (before.status_code, before.json()["code"]) == (404, "totp-not-found")
    assert (by_first.status_code, by_first.json()["code"]) == (403, "wrong-code")
    assert by_second.status_code == 200
    assert (third.status_code, third.json()["code"]) == (409, "totp-active")
    assert again.status_code == 404


async def test_without_the_app_the_password_is_enough_again_and_recovery_codes_are_gone(visitor, settings, mailbox):
    user = await make_user()
    await set_up(visitor, user)
    shown = (await visitor.get("/v1/auth/second-factors", headers=auth(user))).json()

    removed = await visitor.delete("/v1/auth/totp", headers=auth(user))
    again = await visitor.delete("/v1/auth/totp", headers=auth(user))

    assert shown == {"totp": True, "passkeys": 0, "recovery_codes_left": 10}
    assert (removed.status_code, again.status_code) == (204, 404)
    assert (await visitor.get("/v1/auth/second-factors", headers=auth(user))).json() == {
        "totp": False,
        "passkeys": 0,
        "recovery_codes_left": 0,
    }
    assert (await sign_in(visitor, user.email)).status_code == 200
    await drain_jobs(settings)
    subjects = [message["Subject"] for message in mailbox.sent_to(user.email)]
    assert subjects.count("How you sign in was changed") == 2


async def test_new_recovery_codes_void_the_old_ones(visitor):
    user = await make_user()
    none = await visitor.post("/v1/auth/recovery-codes", headers=auth(user))
    _, old = await set_up(visitor, user)

    new = (await visitor.post("/v1/auth/recovery-codes", headers=auth(user))).json()["recovery_codes"]
    by_old = await visitor.post(FINISH, json={"challenge": await challenge_of(visitor, user), "recovery_code": old[0]})
    by_new = await visitor.post(FINISH, json={"challenge": await challenge_of(visitor, user), "recovery_code": new[0]})

    assert (none.status_code, none.json()["code"]) == (409, "no-second-factor")
    assert len(set(new) - set(old)) == 10
    assert (by_old.status_code, by_new.status_code) == (401, 200)
    left = (await visitor.get("/v1/auth/second-factors", headers=auth(user))).json()["recovery_codes_left"]
    assert left == 9


async def test_two_who_renew_recovery_codes_at_once_leave_ten(visitor):
    user = await make_user()
    await set_up(visitor, user)

    await asyncio.gather(*(visitor.post("/v1/auth/recovery-codes", headers=auth(user)) for _ in range(3)))

    assert (await visitor.get("/v1/auth/second-factors", headers=auth(user))).json()["recovery_codes_left"] == 10


DANGEROUS = (
    ("POST", "/v1/auth/totp", None),
    ("POST", "/v1/auth/totp/confirm", {"code": "123456"}),
    ("DELETE", "/v1/auth/totp", None),
    ("POST", "/v1/auth/recovery-codes", None),
    ("POST", "/v1/auth/password", {"current_password": PASSWORD, "new_password": "a brand new password"}),
    ("POST", "/v1/auth/api-keys", {"name": "x", "scopes": ["profile"]}),
    ("POST", "/v1/auth/passkeys/registration/options", None),
    ("POST", "/v1/auth/passkeys", {"name": "x", "passkey": {}}),
    ("DELETE", "/v1/auth/passkeys/01a1fbe8-3eef-7d27-809c-9cfaba724faa", None),
)


@pytest.mark.parametrize(("method", "path", "body"), DANGEROUS)
async def test_dangerous_acts_need_a_fresh_proof_a_session_and_the_scope(visitor, method, path, body):
    from tests.auth.test_api_keys import bearer, make_key

    user, narrow = await make_user(), await make_user(scope="vault:read")
    key = await make_key(visitor, user, "profile")
    await grow_old(user)

    stale = await visitor.request(method, path, json=body, headers=auth(user))
    by_key = await visitor.request(method, path, json=body, headers=bearer(key["key"]))
    without_scope = await visitor.request(method, path, json=body, headers=auth(narrow))
    without_token = await visitor.request(method, path, json=body)

    assert (stale.status_code, stale.json()["code"]) == (403, "step-up-required")
    assert (by_key.status_code, by_key.json()["code"]) == (403, "session-needed")
    assert (without_scope.status_code, without_scope.json()["code"]) == (403, "forbidden")
    assert without_token.status_code == 401


async def test_a_step_up_by_password_or_code_opens_dangerous_acts_to_this_session_only(visitor):
    user = await make_user()
    app, codes = await set_up(visitor, user)
    elsewhere = (
        await visitor.post("/v1/auth/token", data={"username": user.email, "password": PASSWORD, "otp": codes[9]})
    ).json()
    other = {"Authorization": f"Bearer {elsewhere['access_token']}"}

    for proof in ({"password": PASSWORD}, {"code": app.code()}, {"recovery_code": codes[0]}):
        await grow_old(user)
        assert (await visitor.post("/v1/auth/step-up", json=proof, headers=auth(user))).status_code == 204
        assert (await visitor.post("/v1/auth/recovery-codes", headers=other)).status_code == 403
    assert (await visitor.post("/v1/auth/recovery-codes", headers=auth(user))).status_code == 201


async def test_a_wrong_or_used_proof_steps_nobody_up(visitor):
    user = await make_user()
    app, codes = await set_up(visitor, user)
    code = app.code()
    await visitor.post("/v1/auth/step-up", json={"code": code}, headers=auth(user))
    await visitor.post("/v1/auth/step-up", json={"recovery_code": codes[0]}, headers=auth(user))
    await grow_old(user)

    answers = [
        await visitor.post("/v1/auth/step-up", json=proof, headers=auth(user))
        for proof in (
            {"password": "not the password"},
            {"code": code},
            {"code": app.wrong()},
            {"recovery_code": codes[0]},
            {"passkey": {}},
            {},
            {"password": PASSWORD, "code": "123456"},
        )
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "wrong-password"),
        *[(403, "wrong-code")] * 4,
        *[(422, "unprocessable")] * 2,
    ]
    assert (await visitor.post("/v1/auth/recovery-codes", headers=auth(user))).status_code == 403


async def test_a_thief_of_a_session_can_not_try_proofs_for_ever(visitor):
    user = await make_user()
    app, _ = await set_up(visitor, user)

    for wrong in ({"password": "not the password"}, {"code": app.wrong()}):
        answers = [await visitor.post("/v1/auth/step-up", json=wrong, headers=auth(user)) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [403] * 10 + [429]


async def test_neither_secret_nor_codes_stand_in_the_tables_and_nobody_else_sees_the_rows(visitor):
    user, stranger = await make_user(), await make_user()
    app, codes = await set_up(visitor, user)

    async with session_scope() as session:
        rows = [*await session.execute(select(Totp.__table__).where(Totp.user_id == user.id))]
        rows += await session.execute(select(RecoveryCode.__table__).where(RecoveryCode.user_id == user.id))
    async with session_scope(Actor.user(stranger.id)) as session:
        for model in (Totp, RecoveryCode):
            assert await session.scalar(select(func.count()).select_from(model)) == 0

    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    assert len(rows) == 11
    assert app.secret not in stored
    assert one_time.base32(app.secret).encode() not in stored
    assert not [code for code in codes if code.encode() in stored or code.replace("-", "").encode() in stored]


async def test_an_app_survives_an_exchange_of_the_data_key(visitor):
    from app.cli.keys import _rotate_user

    user = await make_user()
    app, _ = await set_up(visitor, user)
    await _rotate_user(user.id, settle_seconds=0)
    current().keys.forget(user.id)

    body = {"challenge": await challenge_of(visitor, user), "code": app.code()}
    assert (await visitor.post(FINISH, json=body)).status_code == 200
