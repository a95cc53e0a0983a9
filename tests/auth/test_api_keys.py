"""API keys: what they open, what they never open, and how they end."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from app.auth import api_keys
from app.auth.models import ApiKey, User, UserSession
from app.auth.seen import REMEMBER, Seen
from app.core.clock import new_id
from app.db.runtime import current
from app.db.session import Actor, session_scope
from tests.auth.test_sign_in import refused_alike
from tests.conftest import drain_jobs
from tests.db.queries import queries
from tests.factories import auth, make_item, make_user, make_vault
from tests.notifications.smtp import changed_settings, text_of

pytestmark = pytest.mark.anyio
KEYS = "/v1/auth/api-keys"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def make_key(client, user, *scopes: str, **changes: object) -> dict[str, str]:
    body = {"name": "Backup script", "scopes": list(scopes or ("profile", "vault:read")), **changes}
    response = await client.post(KEYS, json=body, headers=auth(user))
    assert response.status_code == 201, response.text
    return response.json()


async def grow_old(user) -> None:
    """As if the person had signed in long ago."""
    async with session_scope() as session:
        long_ago = func.now() - func.make_interval(0, 0, 0, 1)
        mine = UserSession.user_id == user.id
        await session.execute(update(UserSession).where(mine).values(authenticated_at=long_ago))


async def test_a_program_with_a_key_does_what_the_key_allows(visitor):
    user = await make_user()
    vault = await make_vault(user)
    item = await make_item(user, vault)
    key = await make_key(visitor, user, "vault:read")

    read = await visitor.get(f"/v1/vault/items/{item.id}", headers=bearer(key["key"]))
    written = await visitor.patch(f"/v1/vault/items/{item.id}", json={"title": "x"}, headers=bearer(key["key"]))

    assert read.json()["title"] == "Ada's passport"
    assert (written.status_code, written.json()["code"]) == (403, "forbidden")
    assert key["key"].startswith(key["prefix"])
    assert key["scopes"] == ["vault:read"]


async def test_a_key_opens_nothing_of_other_people(visitor):
    user, stranger = await make_user(), await make_user()
    item = await make_item(user, await make_vault(user))
    key = await make_key(visitor, stranger)

    assert (await visitor.get(f"/v1/vault/items/{item.id}", headers=bearer(key["key"]))).status_code == 404


async def test_keys_are_listed_without_their_secret_newest_first(visitor):
    user = await make_user()
    first = await make_key(visitor, user, name="Ämter & Co", expires_in_days=0)
    second = await make_key(visitor, user, name="Second")

    page = (await visitor.get(f"{KEYS}?limit=1", headers=auth(user))).json()
    rest = (await visitor.get(f"{KEYS}?limit=1&cursor={page['next_cursor']}", headers=auth(user))).json()

    shown = page["items"] + rest["items"]
    assert [(item["name"], item["prefix"]) for item in shown] == [
        ("Second", second["prefix"]),
        ("Ämter & Co", first["prefix"]),
    ]
    assert shown[1]["expires_at"] is None
    assert shown[0]["expires_at"] is not None
    assert rest["next_cursor"] is None
    assert not [item for item in shown if "key" in item]
    assert second["key"] not in str(shown)


async def test_a_revoked_key_is_refused_at_once(visitor):
    user, stranger = await make_user(), await make_user()
    key = await make_key(visitor, user)
    path = f"{KEYS}/{key['id']}"
    assert (await visitor.get("/v1/auth/me", headers=bearer(key["key"]))).status_code == 200

    by_stranger = await visitor.delete(path, headers=auth(stranger))
    by_owner = await visitor.delete(path, headers=auth(user))
    again = await visitor.delete(path, headers=auth(user))
    refused = await visitor.get("/v1/auth/me", headers=bearer(key["key"]))

    assert (by_stranger.status_code, by_stranger.json()["code"]) == (404, "api-key-not-found")
    assert (by_owner.status_code, again.status_code) == (204, 404)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid-api-key")


async def test_an_expired_key_is_refused_also_by_a_process_that_knows_it(visitor):
    user = await make_user()
    key = await make_key(visitor, user)
    assert (await visitor.get("/v1/auth/me", headers=bearer(key["key"]))).status_code == 200

    async with session_scope() as session:
        await session.execute(update(ApiKey).where(ApiKey.user_id == user.id).values(expires_at=func.now()))

    assert (await visitor.get("/v1/auth/me", headers=bearer(key["key"]))).status_code == 401


async def test_a_mistyped_key_is_refused_without_a_question_to_the_database(visitor, runtime):
    user = await make_user()
    key = (await make_key(visitor, user))["key"]
    typos = [
        key[:-1],
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        key[:20] + ("x" if key[20] != "x" else "y") + key[21:],
    ]
    typos += ["lv_", "lv_x_y", key + "0", key.replace("lv_", "lv-"), "lv_" + "ä" * 60]

    async with queries(runtime) as sent:
        answers = [
            await visitor.get("/v1/auth/me", headers={"Authorization": f"Bearer {typo}".encode()}) for typo in typos
        ]

    assert {answer.status_code for answer in answers} == {401}
    assert sent == []


async def test_wrong_keys_are_throttled_by_address_and_good_ones_from_elsewhere_are_not(visit):
    user = await make_user()
    with changed_settings(sign_in_attempts=1):
        thief, owner = visit(), visit()
        key = (await make_key(owner, user))["key"]
        guesses = [api_keys._new_token() for _ in range(7)]

        answers = [await thief.get("/v1/auth/me", headers=bearer(guess)) for guess in guesses]

        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert answers[-1].json()["code"] == "too-many-attempts"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await owner.get("/v1/auth/me", headers=bearer(key))).status_code == 200


async def test_an_unknown_prefix_and_a_wrong_secret_are_answered_alike(visitor):
    user = await make_user()
    key = (await make_key(visitor, user))["key"]
    start = key[:14] + api_keys._new_token()[14:-6]
    forged = start + api_keys._checksum(start)

    answers = [await visitor.get("/v1/auth/me", headers=bearer(each)) for each in (forged, api_keys._new_token())]

    assert forged[:13] == key[:13]
    assert refused_alike(*answers)


async def test_a_key_passes_on_no_scope_that_its_maker_lacks(visitor):
    user = await make_user(scope="profile vault:read")

    refused = await visitor.post(KEYS, json={"name": "x", "scopes": ["vault:write"]}, headers=auth(user))

    assert (refused.status_code, refused.json()["code"]) == (403, "scope-not-held")
    await make_key(visitor, user, "vault:read")


async def test_a_key_makes_no_keys_and_changes_nothing_of_how_one_signs_in(visitor):
    user = await make_user()
    key = await make_key(visitor, user, "profile", "vault:read", "vault:write", "rag:ask")
    session_path = f"/v1/auth/sessions/{user.session_id}"
    password = {"current_password": user.password, "new_password": "a brand new password"}
    codes = []
    for method, path, body in (
        ("POST", KEYS, {"name": "x", "scopes": ["profile"]}),
        ("GET", KEYS, None),
        ("DELETE", f"{KEYS}/{key['id']}", None),
        ("POST", "/v1/auth/password", password),
        ("GET", "/v1/auth/sessions", None),
        ("DELETE", session_path, None),
        ("POST", "/v1/auth/logout", None),
        ("POST", "/v1/auth/logout-everywhere", None),
    ):
        answer = await visitor.request(method, path, json=body, headers=bearer(key["key"]))
        codes.append((answer.status_code, answer.json()["code"]))

    assert set(codes) == {(403, "session-needed")}
    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 200


async def test_a_new_key_needs_a_fresh_proof_of_identity(visitor):
    user = await make_user()
    await grow_old(user)

    refused = await visitor.post(KEYS, json={"name": "x", "scopes": ["profile"]}, headers=auth(user))

    assert (refused.status_code, refused.json()["code"]) == (403, "step-up-required")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": ["profile", "profile"]},
        {"name": "x", "scopes": "profile"},
        {"name": " ", "scopes": ["profile"]},
        {"name": "x" * 201, "scopes": ["profile"]},
        {"name": "a\x00b", "scopes": ["profile"]},
        {"name": "x", "scopes": ["profile"], "expires_in_days": -1},
        {"name": "x", "scopes": ["profile"], "expires_in_days": 3651},
        {"name": "x", "scopes": ["profile"], "expires_in_days": "7"},
        {"name": "x", "scopes": ["profile"], "admin": True},
    ],
)
async def test_a_bad_request_for_a_key_is_refused(visitor, body):
    assert (await visitor.post(KEYS, json=body, headers=auth(await make_user()))).status_code == 422


async def test_keys_need_the_scope_of_the_account(visitor):
    headers = auth(await make_user(scope="vault:read"))

    for method, path in (("POST", KEYS), ("GET", KEYS), ("DELETE", f"{KEYS}/{new_id()}")):
        body = {"name": "x", "scopes": ["vault:read"]} if method == "POST" else None
        answer = await visitor.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_the_number_of_keys_is_limited_also_when_many_are_made_at_once(visitor):
    user = await make_user()
    with changed_settings(api_keys_per_user=3):
        body = {"name": "x", "scopes": ["profile"]}
        answers = await asyncio.gather(*(visitor.post(KEYS, json=body, headers=auth(user)) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
    assert {answer.json().get("code") for answer in answers} == {None, "too-many-api-keys"}


async def test_the_last_use_of_a_key_is_recorded_once_a_minute(visitor, runtime):
    user = await make_user()
    key = await make_key(visitor, user)
    assert key["last_used_at"] is None

    await visitor.get("/v1/auth/me", headers=bearer(key["key"]))
    async with queries(runtime) as sent:
        await visitor.get("/v1/auth/me", headers=bearer(key["key"]))

    async with session_scope() as session:
        used_at = await session.scalar(select(ApiKey.last_used_at).where(ApiKey.user_id == user.id))
    assert used_at is not None
    assert not [statement for statement in sent if "UPDATE" in statement]
    [begin] = [statement for statement in sent if "auth_api_keys" in statement]
    assert begin.startswith("BEGIN; SELECT set_config('app.principal'")


async def test_a_write_that_failed_is_tried_again_with_the_next_use():
    seen, row_id, wrote = Seen(3_600), new_id(), []

    async def fail() -> None:
        raise OSError("the database is gone")

    async def write() -> None:
        wrote.append(row_id)

    assert seen.is_stale(row_id)
    with pytest.raises(OSError, match="gone"):
        await seen.mark(row_id, fail())
    assert seen.is_stale(row_id)
    await seen.mark(row_id, write())
    assert not seen.is_stale(row_id)
    assert wrote == [row_id]


def test_what_was_seen_is_remembered_within_bounds():
    seen = Seen(3_600)
    for _ in range(REMEMBER + 10):
        seen.is_stale(new_id())

    assert len(seen._at) == REMEMBER


async def test_neither_name_nor_secret_of_a_key_stands_in_its_row(visitor):
    user = await make_user()
    key = await make_key(visitor, user, name="Steuerberater")

    async with session_scope() as session:
        row = (await session.execute(select(ApiKey.__table__).where(ApiKey.user_id == user.id))).one()
    async with session_scope(Actor.user((await make_user()).id)) as session:
        assert await session.scalar(select(func.count()).select_from(ApiKey)) == 0

    text = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    assert b"Steuerberater" not in text
    assert key["key"][14:].encode() not in text


async def test_the_owner_is_told_of_a_new_key(visitor, settings, mailbox):
    user = await make_user()
    key = await make_key(visitor, user, name="Backup of the year")
    await drain_jobs(settings)

    [message] = mailbox.sent_to(user.email)
    assert message["Subject"] == "A new API key opens your LifeVault"
    assert key["prefix"] in text_of(message)
    assert key["key"] not in text_of(message)


async def test_keys_go_with_the_account_and_survive_an_exchange_of_its_data_key(visitor):
    from app.cli.keys import _rotate_user

    user = await make_user()
    key = await make_key(visitor, user, name="Kept")
    await _rotate_user(user.id, settle_seconds=0)
    current().keys.forget(user.id)

    assert (await visitor.get("/v1/auth/me", headers=bearer(key["key"]))).status_code == 200
    assert (await visitor.get(KEYS, headers=auth(user))).json()["items"][0]["name"] == "Kept"
    async with session_scope() as session:
        assert await session.scalar(select(func.count()).where(User.id == user.id)) == 1
