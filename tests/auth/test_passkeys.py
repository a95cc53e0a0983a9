"""Passkeys: registered, used to sign in, as a second factor and for a step-up; and what is refused."""

import asyncio
import json

import pytest
from sqlalchemy import func, select, update

from app.auth import authenticators
from app.auth.models import Challenge, Passkey
from app.core.clock import new_id
from app.core.crypto import token_digest
from app.db.runtime import current
from app.db.session import Actor, session_scope
from tests.auth.authenticator import Authenticator, b64, unb64
from tests.auth.test_accounts import sign_in
from tests.auth.test_api_keys import grow_old
from tests.auth.test_second_factor import FINISH, set_up
from tests.auth.test_sign_in import me, refused_alike
from tests.factories import PASSWORD, auth, make_user
from tests.notifications.smtp import changed_settings

pytestmark = pytest.mark.anyio
PASSKEYS, SIGN_IN = "/v1/auth/passkeys", "/v1/auth/token/passkey"


async def register(client, user, device: Authenticator | None = None, name: str = "Ada's phone"):
    """A passkey of a person; the device that holds it, and the answer."""
    device = device or Authenticator()
    options = (await client.post(f"{PASSKEYS}/registration/options", headers=auth(user))).json()["options"]
    body = {"name": name, "passkey": device.create(options)}
    return device, await client.post(PASSKEYS, json=body, headers=auth(user))


async def registered(client, user, device: Authenticator | None = None) -> Authenticator:
    device, made = await register(client, user, device)
    assert made.status_code == 201, made.text
    return device


async def sign_in_options(client):
    return (await client.post(f"{SIGN_IN}/options")).json()["options"]


async def sign_in_by(client, device: Authenticator, **changes):
    answer = device.get(await sign_in_options(client), **changes)
    return await client.post(SIGN_IN, json={"passkey": answer})


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_a_passkey_signs_in_without_address_and_password(visitor, algorithm):
    user = await make_user()
    device, made = await register(visitor, user, Authenticator(algorithm=algorithm, synced=True))

    for _ in range(2):
        signed_in = await sign_in_by(visitor, device)
        assert signed_in.status_code == 200, signed_in.text
    shown = await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {signed_in.json()['access_token']}"})

    assert made.status_code == 201
    assert made.json()["synced"] is True
    assert len(made.json()["recovery_codes"]) == 10
    assert shown.json()["email"] == user.email


async def test_the_options_ask_for_what_we_rely_on(visitor):
    user = await make_user(name="Ada Lovelace")
    device = await registered(visitor, user)

    options = (await visitor.post(f"{PASSKEYS}/registration/options", headers=auth(user))).json()["options"]
    request = await sign_in_options(visitor)

    assert options["rp"] == {"id": "localhost", "name": "LifeVault"}
    assert unb64(options["user"]["id"]) == user.id.bytes
    assert (options["user"]["name"], options["user"]["displayName"]) == (user.email, "Ada Lovelace")
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == request["userVerification"] == "required"
    assert [each["id"] for each in options["excludeCredentials"]] == [b64(device.credential_id)]
    assert options["excludeCredentials"][0]["transports"] == ["hybrid", "internal"]
    assert (request["rpId"], request["allowCredentials"]) == ("localhost", [])
    assert len(unb64(request["challenge"])) == 32


async def test_a_passkey_is_the_second_factor_of_a_password(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    asked = await sign_in(visitor, user.email)
    options = asked.json()["passkey_options"]

    body = {"challenge": asked.json()["challenge"], "passkey": device.get(options)}
    finished = await visitor.post(FINISH, json=body)
    replayed = await visitor.post(FINISH, json=body)

    assert asked.json()["methods"] == ["passkey", "recovery_code"]
    assert options["challenge"] == asked.json()["challenge"]
    assert [each["id"] for each in options["allowCredentials"]] == [b64(device.credential_id)]
    assert finished.status_code == 200, finished.text
    assert await me(visitor, finished.json()["access_token"]) == 200
    assert (replayed.status_code, replayed.json()["code"]) == (401, "invalid-challenge")


async def test_a_second_factor_is_not_proved_by_another_challenge_or_the_passkey_of_another(visitor):
    user, thief = await make_user(), await make_user()
    device, foreign = await registered(visitor, user), await registered(visitor, thief)
    asked = (await sign_in(visitor, user.email)).json()
    other = (await sign_in(visitor, user.email)).json()

    by_other_challenge = {"challenge": asked["challenge"], "passkey": device.get(other["passkey_options"])}
    by_foreign_passkey = {"challenge": asked["challenge"], "passkey": foreign.get(asked["passkey_options"])}
    for body in (by_other_challenge, by_foreign_passkey, {"challenge": asked["challenge"], "passkey": {}}):
        assert (await visitor.post(FINISH, json=body)).json()["code"] == "invalid-second-factor"


async def test_an_answer_works_once_also_for_many_at_once(visitor):
    user = await make_user()
    device = await registered(visitor, user, Authenticator(counts=False))
    answer = device.get(await sign_in_options(visitor))

    answers = await asyncio.gather(*(visitor.post(SIGN_IN, json={"passkey": answer}) for _ in range(4)))

    assert sorted(each.status_code for each in answers) == [200, 401, 401, 401]


async def test_a_copied_authenticator_is_noticed_by_its_counter(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    assert (await sign_in_by(visitor, device)).status_code == 200
    assert (await sign_in_by(visitor, device)).status_code == 200

    device.counter = 1  # a copy that was made after the first sign-in signs now
    copied = await sign_in_by(visitor, device)

    assert (copied.status_code, copied.json()["code"]) == (401, "invalid-passkey")


WRONG = {
    "another page": {"origin": "http://evil.example"},
    "another port": {"origin": "http://localhost:9000"},
    "another ceremony": {"type": "webauthn.create"},
    "a challenge of its own": {"challenge": b64(bytes(32))},
    "a challenge that is no text": {"challenge": 1},
    "no challenge": {"challenge": ""},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
async def test_an_answer_with_anything_wrong_is_refused(visitor, changes):
    user = await make_user()
    device = await registered(visitor, user)

    refused = await sign_in_by(visitor, device, **changes)

    assert (refused.status_code, refused.json()["code"]) == (401, "invalid-passkey")
    assert (await sign_in_by(visitor, device)).status_code == 200


async def test_an_answer_without_a_check_of_the_person_is_refused(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    device.verifies = False

    assert (await sign_in_by(visitor, device)).status_code == 401


async def test_an_answer_for_another_domain_or_another_person_or_with_another_key_is_refused(visitor):
    user, other = await make_user(), await make_user()
    device, second = await registered(visitor, user), await registered(visitor, other)
    for name, value in (("rp_id", "evil.example"), ("user_handle", other.id.bytes), ("key", second.key)):
        before = getattr(device, name)
        setattr(device, name, value)
        assert (await sign_in_by(visitor, device)).status_code == 401, name
        setattr(device, name, before)
    device.credential_id = second.credential_id

    assert (await sign_in_by(visitor, device)).status_code == 401


async def test_unknown_and_wrong_passkeys_are_answered_alike_and_use_the_challenge_up(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    options = await sign_in_options(visitor)
    stranger = Authenticator()
    stranger.create({"user": {"id": b64(user.id.bytes)}, "rp": {"id": "localhost"}, "challenge": "x"})

    unknown = await visitor.post(SIGN_IN, json={"passkey": stranger.get(options)})
    used_up = await visitor.post(SIGN_IN, json={"passkey": device.get(options)})
    wrong = await sign_in_by(visitor, device, origin="http://evil.example")

    assert refused_alike(unknown, used_up, wrong)


BROKEN = [
    {},
    {"id": 1},
    {"id": "ä", "response": {"clientDataJSON": "ä"}},
    {"response": "x"},
    {"response": {"clientDataJSON": b64(b"[]")}},
    {"response": {"clientDataJSON": b64(b'{"challenge": {}}')}},
    {"response": {"clientDataJSON": b64(b"\xff")}},
    {"response": {"clientDataJSON": ["x"]}},
    {"id": "x" * 100_000},
]


@pytest.mark.parametrize("passkey", BROKEN)
async def test_nonsense_is_refused_and_nothing_more(visitor, passkey):
    user = await make_user()

    signed_in = await visitor.post(SIGN_IN, json={"passkey": passkey})
    made = await visitor.post(PASSKEYS, json={"name": "x", "passkey": passkey}, headers=auth(user))

    assert (signed_in.status_code, signed_in.json()["code"]) == (401, "invalid-passkey")
    assert (made.status_code, made.json()["code"]) == (400, "passkey-refused")


async def test_nonsense_around_a_good_challenge_is_refused_and_nothing_more(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    for part in ("authenticatorData", "signature", "clientDataJSON"):
        for value in ("", "AAAA", "x", b64(b"\xa1" * 3_000), 7, None):
            options = await sign_in_options(visitor)
            answer = device.get(options)
            if part == "clientDataJSON":
                answer["response"]["authenticatorData"] = "AA"
            else:
                answer["response"][part] = value
            assert (await visitor.post(SIGN_IN, json={"passkey": answer})).status_code in (401, 429)
        await visitor.post(SIGN_IN, json={"passkey": {}})


async def test_the_challenge_of_a_registration_is_for_one_session_and_for_once(visitor):
    user, other = await make_user(), await make_user()
    options = (await visitor.post(f"{PASSKEYS}/registration/options", headers=auth(user))).json()["options"]
    body = {"name": "x", "passkey": Authenticator().create(options)}
    again = {"name": "x", "passkey": Authenticator().create(options)}
    for_sign_in = {"name": "x", "passkey": Authenticator().create(options, challenge="") | {"response": {}}}

    by_other = await visitor.post(PASSKEYS, json=body, headers=auth(other))
    by_owner = await visitor.post(PASSKEYS, json=body, headers=auth(user))
    twice = await visitor.post(PASSKEYS, json=again, headers=auth(user))

    assert [each.status_code for each in (by_other, by_owner, twice)] == [400, 201, 400]
    assert (await visitor.post(PASSKEYS, json=for_sign_in, headers=auth(user))).status_code == 400


async def test_a_challenge_expires(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    options = await sign_in_options(visitor)
    async with session_scope() as session:
        mine = Challenge.digest == token_digest(options["challenge"])
        await session.execute(update(Challenge).where(mine).values(expires_at=func.now()))

    assert (await visitor.post(SIGN_IN, json={"passkey": device.get(options)})).status_code == 401


@pytest.mark.parametrize("fault", [{"verifies": False}, {"origin": "http://evil.example"}])
async def test_a_passkey_that_is_made_wrongly_is_not_registered(visitor, fault):
    user = await make_user()

    _, made = await register(visitor, user, Authenticator(**fault))

    assert (made.status_code, made.json()["code"]) == (400, "passkey-refused")
    assert (await visitor.get(PASSKEYS, headers=auth(user))).json()["items"] == []


async def test_one_passkey_is_registered_once(visitor):
    user, other = await make_user(), await make_user()
    device = await registered(visitor, user)

    _, again = await register(visitor, user, Authenticator(credential_id=device.credential_id))
    _, elsewhere = await register(visitor, other, Authenticator(credential_id=device.credential_id))

    assert (again.status_code, elsewhere.status_code) == (400, 400)


async def test_passkeys_are_listed_renamed_and_deleted_by_their_owner_only(visitor):
    user, stranger = await make_user(), await make_user()
    first, second = [(await register(visitor, user, name=name))[1].json() for name in ("First", "Second")]
    path = f"{PASSKEYS}/{first['id']}"

    page = (await visitor.get(f"{PASSKEYS}?limit=1", headers=auth(user))).json()
    rest = (await visitor.get(f"{PASSKEYS}?limit=1&cursor={page['next_cursor']}", headers=auth(user))).json()
    by_stranger = [
        await visitor.patch(path, json={"name": "Mine"}, headers=auth(stranger)),
        await visitor.delete(path, headers=auth(stranger)),
    ]
    renamed = await visitor.patch(path, json={"name": "Old phone"}, headers=auth(user))
    nameless = await visitor.patch(path, json={"name": " "}, headers=auth(user))
    deleted = await visitor.delete(path, headers=auth(user))
    again = await visitor.delete(path, headers=auth(user))

    assert [item["name"] for item in page["items"] + rest["items"]] == ["Second", "First"]
    assert second["recovery_codes"] == []
    assert [(each.status_code, each.json()["code"]) for each in by_stranger] == [(404, "passkey-not-found")] * 2
    assert (renamed.json()["name"], nameless.status_code) == ("Old phone", 422)
    assert (deleted.status_code, again.status_code) == (204, 404)


async def test_without_its_last_passkey_an_account_is_open_to_its_password_again(visitor):
    user = await make_user()
    device, made = await register(visitor, user)
    assert (await sign_in(visitor, user.email)).json()["code"] == "second-factor-required"

    await visitor.delete(f"{PASSKEYS}/{made.json()['id']}", headers=auth(user))

    assert (await sign_in(visitor, user.email)).status_code == 200
    assert (await sign_in_by(visitor, device)).status_code == 401
    left = (await visitor.get("/v1/auth/second-factors", headers=auth(user))).json()
    assert left == {"totp": False, "passkeys": 0, "recovery_codes_left": 0}


async def test_recovery_codes_stay_while_another_factor_stays(visitor):
    user = await make_user()
    await set_up(visitor, user)
    _, made = await register(visitor, user)

    await visitor.delete(f"{PASSKEYS}/{made.json()['id']}", headers=auth(user))

    left = (await visitor.get("/v1/auth/second-factors", headers=auth(user))).json()
    assert left == {"totp": True, "passkeys": 0, "recovery_codes_left": 10}


async def test_the_number_of_passkeys_is_limited(visitor):
    user = await make_user()
    with changed_settings(passkeys_per_user=1):
        options = [
            (await visitor.post(f"{PASSKEYS}/registration/options", headers=auth(user))).json()["options"]
            for _ in range(2)
        ]
        bodies = [{"name": "x", "passkey": Authenticator().create(each)} for each in options]
        made = await asyncio.gather(*(visitor.post(PASSKEYS, json=body, headers=auth(user)) for body in bodies))
        another = await visitor.post(f"{PASSKEYS}/registration/options", headers=auth(user))

    assert sorted(each.status_code for each in made) == [201, 409]
    assert (another.status_code, another.json()["code"]) == (409, "too-many-passkeys")


async def test_a_passkey_steps_a_session_up_by_a_challenge_of_that_session(visitor):
    user = await make_user()
    device = await registered(visitor, user)
    await grow_old(user)
    for_sign_in = device.get(await sign_in_options(visitor))
    options = (await visitor.post("/v1/auth/step-up/options", headers=auth(user))).json()["options"]
    answer = device.get(options)

    by_other_challenge = await visitor.post("/v1/auth/step-up", json={"passkey": for_sign_in}, headers=auth(user))
    done = await visitor.post("/v1/auth/step-up", json={"passkey": answer}, headers=auth(user))
    again = await visitor.post("/v1/auth/step-up", json={"passkey": answer}, headers=auth(user))

    assert [each.status_code for each in (by_other_challenge, done, again)] == [403, 204, 403]
    assert (await visitor.post("/v1/auth/recovery-codes", headers=auth(user))).status_code == 201


async def test_wrong_passkeys_are_throttled_by_address(visit):
    with changed_settings(sign_in_attempts=1):
        thief = visit()
        answers = [await thief.post(SIGN_IN, json={"passkey": {}}) for _ in range(7)]

    assert [each.status_code for each in answers] == [401] * 5 + [429] * 2


async def test_the_domain_and_origins_are_those_of_the_settings(visitor):
    with changed_settings(public_url="https://vault.example.org/api"):
        assert authenticators.domain() == "vault.example.org"
        assert authenticators.origins() == ["https://vault.example.org"]
    app = "android:apk-key-hash:x"
    with changed_settings(passkey_domain="example.org", passkey_origins=("https://a.example.org", app)):
        user = await make_user()
        device = await registered(visitor, user, Authenticator(origin=app))
        assert device.rp_id == "example.org"
        assert (await sign_in_by(visitor, device)).status_code == 200
        assert (await sign_in_by(visitor, device, origin="https://b.example.org")).status_code == 401


async def test_nothing_of_a_passkey_stands_open_in_its_row_and_nobody_else_sees_it(visitor):
    user, stranger = await make_user(), await make_user()
    device, _ = await register(visitor, user, name="Kitchen tablet")

    async with session_scope() as session:
        row = (await session.execute(select(Passkey.__table__).where(Passkey.user_id == user.id))).one()
    async with session_scope(Actor.user(stranger.id)) as session:
        assert await session.scalar(select(func.count()).select_from(Passkey)) == 0

    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    for secret in (b"Kitchen tablet", device.credential_id, b64(device.credential_id).encode()):
        assert secret not in stored


async def test_a_passkey_survives_an_exchange_of_the_data_key(visitor):
    from app.cli.keys import _rotate_user

    user = await make_user()
    device = await registered(visitor, user)
    await _rotate_user(user.id, settle_seconds=0)
    current().keys.forget(user.id)

    assert (await sign_in_by(visitor, device)).status_code == 200


async def test_bad_requests_missing_scopes_and_strangers_are_refused(visitor):
    narrow = auth(await make_user(scope="vault:read"))
    full = auth(await make_user())
    for body in ({}, {"passkey": "x"}, {"passkey": {}, "scope": 1}, {"passkey": {}, "x": 1}):
        assert (await visitor.post(SIGN_IN, json=body)).status_code == 422
    for body in ({}, {"name": "x"}, {"name": "", "passkey": {}}, {"name": "x", "passkey": []}):
        assert (await visitor.post(PASSKEYS, json=body, headers=full)).status_code == 422
    for method, path in (
        ("GET", PASSKEYS),
        ("PATCH", f"{PASSKEYS}/{new_id()}"),
        ("POST", f"{PASSKEYS}/registration/options"),
    ):
        assert (await visitor.request(method, path, json={"name": "x"}, headers=narrow)).status_code == 403
        assert (await visitor.request(method, path, json={"name": "x"})).status_code == 401
    assert json.loads((await visitor.get(PASSKEYS, headers=full)).text) == {"items": [], "next_cursor": None}
    assert (await sign_in(visitor, "nobody@example.com", PASSWORD)).status_code == 401
