"""Accounts that are deleted: closed at once, restorable for a while, then gone without a readable trace."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import func, select, text, update

from app.auth.models import ApiKey, Passkey, User
from app.auth.tasks import delete_accounts
from app.core.clock import utc_now
from app.db.models import DataKeyRow
from app.db.session import Actor, session_scope
from app.vault.models import members, vaults
from tests.auth.test_accounts import registration, sign_in
from tests.auth.test_api_keys import bearer, grow_old, make_key
from tests.auth.test_passkeys import registered, sign_in_by
from tests.auth.test_privacy import spellings
from tests.auth.test_second_factor import set_up
from tests.auth.test_sign_in import refused_alike
from tests.conftest import drain_jobs
from tests.factories import PASSWORD, auth, hand_over, make_document, make_item, make_member, make_user, make_vault
from tests.notifications.smtp import text_of

pytestmark = pytest.mark.anyio
ME = "/v1/auth/me"
LATER = timedelta(days=15)


async def delete(client, user):
    return await client.delete(ME, headers=auth(user))


async def destroy(settings) -> None:
    """What the periodic task and the jobs that follow it do when the days of grace are over."""
    await delete_accounts(utc_now() + LATER)
    await drain_jobs(settings)
    await delete_accounts(utc_now() + LATER)


async def exists(user) -> bool:
    async with session_scope() as session:
        keys = await session.scalar(select(func.count()).where(DataKeyRow.owner_id == user.id))
        row = await session.scalar(select(User.id).where(User.id == user.id))
    assert bool(keys) == bool(row)
    return row is not None


async def test_a_deleted_account_is_closed_at_once_and_can_be_restored(visitor, settings, mailbox):
    user = await make_user()
    item = await make_item(user, await make_vault(user))
    key = await make_key(visitor, user)

    deleted = await delete(visitor, user)
    await drain_jobs(settings)
    by_session = await visitor.get(ME, headers=auth(user))
    by_key = await visitor.get(ME, headers=bearer(key["key"]))
    by_refresh = await visitor.post("/v1/auth/refresh", json={"refresh_token": user.refresh_token})
    tokens = (await sign_in(visitor, user.email)).json()
    waiting = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = (await visitor.get(ME, headers=waiting)).json()
    hidden = await visitor.get(f"/v1/vault/items/{item.id}", headers=waiting)
    refreshed = (await visitor.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
    restored = await visitor.post(f"{ME}/restore", headers=waiting)
    again = await visitor.post(f"{ME}/restore", headers=waiting)

    assert deleted.status_code == 202
    assert [each.status_code for each in (by_session, by_key, by_refresh)] == [401, 401, 401]
    times = {each["deletion_at"] for each in (deleted.json(), tokens, me, refreshed)}
    assert len(times) == 1
    assert times != {None}
    assert (tokens["scope"], refreshed["scope"], hidden.status_code) == ("profile", "profile", 403)
    assert (restored.status_code, restored.json()["deletion_at"]) == (200, None)
    assert (again.status_code, again.json()["code"]) == (409, "not-waiting-for-deletion")
    await destroy(settings)
    whole = (await sign_in(visitor, user.email)).json()
    read = await visitor.get(f"/v1/vault/items/{item.id}", headers={"Authorization": f"Bearer {whole['access_token']}"})
    assert (read.status_code, whole["deletion_at"]) == (200, None)
    [told] = [each for each in mailbox.sent_to(user.email) if each["Subject"] == "Your LifeVault will be deleted"]
    assert deleted.json()["deletion_at"][:10] in text_of(told)


async def test_asking_again_does_not_put_the_end_off(visitor):
    user = await make_user()
    first = (await delete(visitor, user)).json()
    tokens = (await sign_in(visitor, user.email)).json()

    second = await visitor.delete(ME, headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert (second.status_code, second.json()) == (202, first)


async def test_after_the_days_of_grace_nothing_readable_is_left(visitor, settings, postgres):
    user = await make_user(email="Farewell.Person@vanishing.example", name="Zacharias Nebelhorn")
    vault = await make_vault(user, name="Nebelpapiere")
    await make_item(user, vault, title="Nebelpass", notes="Nebelnotiz", tags=("nebeltag",))
    await make_document(user, vault, content=b"The Nebelhorn policy", name="nebel.txt")
    await make_key(visitor, user, name="Nebelschluessel")
    await set_up(visitor, user)
    device = await registered(visitor, user)
    await drain_jobs(settings)
    await delete(visitor, user)

    await destroy(settings)

    assert not await exists(user)
    async with session_scope() as session:
        assert await session.scalar(select(vaults.c.id).where(vaults.c.id == vault.id)) is None
        assert await session.scalar(select(func.count()).where(DataKeyRow.owner_id == vault.id)) == 0
        for model in (ApiKey, Passkey):
            assert await session.scalar(select(func.count()).where(model.user_id == user.id)) == 0
    assert (await sign_in_by(visitor, device)).status_code == 401
    found = (await whole_database(postgres.superuser)).lower()
    words = [
        "farewell.person",
        "vanishing.example",
        "nebelpapiere",
        "nebelnotiz",
        "nebelschluessel",
        "zacharias nebelhorn",
    ]
    assert [word for word in words if any(spelling.lower() in found for spelling in spellings(word))] == []


async def whole_database(url: str) -> bytes:
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [row for table in tables for row in await connection.fetch(f'SELECT * FROM "{table[0]}"')]
    finally:
        await connection.close()
    values = [value for row in rows for value in row.values() if value is not None]
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


async def test_the_address_is_free_again(visitor, settings):
    user = await make_user()
    await delete(visitor, user)
    await destroy(settings)

    registered_again = await visitor.post("/v1/auth/register", json=registration(email=user.email))

    assert registered_again.status_code == 201
    tokens = (await sign_in(visitor, user.email)).json()
    me = await visitor.get(ME, headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["id"] == registered_again.json()["id"] != str(user.id)


async def test_before_its_time_nothing_is_destroyed(visitor, settings):
    user = await make_user()
    await delete(visitor, user)

    await delete_accounts(utc_now() + timedelta(days=13))
    await drain_jobs(settings)
    await delete_accounts(utc_now() + timedelta(days=13))

    assert await exists(user)


async def test_an_account_whose_end_was_announced_is_closed_for_good(visitor):
    user, plain = await make_user(), await make_user()
    device = await registered(visitor, user)
    await delete(visitor, user)
    waiting = {"Authorization": f"Bearer {(await sign_in_by(visitor, device)).json()['access_token']}"}
    async with session_scope() as session:  # announced, but somebody still refers to it
        at = {"deletion_announced_at": func.now(), "deletion_at": func.now()}
        await session.execute(update(User).where(User.id == user.id).values(**at))

    by_password = await sign_in(visitor, user.email)
    wrong = await sign_in(visitor, plain.email, "not the password")

    assert (await visitor.post(f"{ME}/restore", headers=waiting)).status_code == 409
    assert by_password.status_code == (await sign_in_by(visitor, device)).status_code == 401
    assert wrong.status_code == 401


async def test_sign_in_to_an_announced_account_looks_like_a_wrong_password(visitor):
    user, plain = await make_user(), await make_user()
    async with session_scope() as session:
        at = {"deletion_announced_at": func.now(), "deletion_at": func.now()}
        await session.execute(update(User).where(User.id == user.id).values(**at))

    assert refused_alike(await sign_in(visitor, user.email), await sign_in(visitor, plain.email, "not the password"))


async def test_what_others_share_must_be_handed_over_first(visitor, settings):
    owner = await make_user()
    shared, alone = await make_vault(owner), await make_vault(owner, kind="personal")
    member = await make_member(shared, role="viewer")
    await make_item(owner, shared, title="Stays")

    refused = await delete(visitor, owner)
    await hand_over(shared, owner, member)
    accepted = await delete(visitor, owner)
    await destroy(settings)

    assert (refused.status_code, refused.json()["code"]) == (409, "ownership-remains")
    assert refused.json()["vault_ids"] == [str(shared.id)]
    assert accepted.status_code == 202
    assert not await exists(owner)
    items = (await visitor.get(f"/v1/vault/items?vault_id={shared.id}", headers=auth(member))).json()["items"]
    assert [item["title"] for item in items] == ["Stays"]
    async with session_scope() as session:
        assert await session.scalar(select(vaults.c.id).where(vaults.c.id == alone.id)) is None


async def test_a_vault_that_somebody_joined_meanwhile_goes_to_the_highest_of_them(visitor, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    await delete(visitor, owner)
    viewer = await make_member(vault, role="viewer")
    first, second = await make_member(vault, role="admin"), await make_member(vault, role="admin")

    await destroy(settings)

    async with session_scope(Actor.vault(vault.id)) as session:
        roles = (await session.execute(select(members.c.user_id, members.c.role).order_by(members.c.id))).all()
    assert [(row.user_id, row.role) for row in roles] == [
        (viewer.id, "viewer"),
        (first.id, "owner"),
        (second.id, "admin"),
    ]
    assert not await exists(owner)


async def test_a_member_leaves_the_vaults_of_others(visitor, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    member = await make_member(vault)

    assert (await delete(visitor, member)).status_code == 202
    await destroy(settings)

    shown = (await visitor.get(f"/v1/vault/vaults/{vault.id}/members", headers=auth(owner))).json()
    people = shown if isinstance(shown, list) else shown["items"]
    assert [UUID(each["user_id"]) for each in people] == [owner.id]
    assert not await exists(member)


async def test_an_account_that_is_still_referred_to_waits_and_the_others_do_not(visitor, settings):
    stuck, other = await make_user(), await make_user()
    await delete(visitor, stuck)
    await delete(visitor, other)
    await delete_accounts(utc_now() + LATER)
    await drain_jobs(settings)
    vault = await make_vault(await make_user())
    async with session_scope() as session:  # as a package that has not heard of the end yet
        copied = text(
            "INSERT INTO vault_members (id, vault_id, user_id, role, body) "
            "SELECT :id, vault_id, :user, 'viewer', body FROM vault_members WHERE vault_id = :vault"
        )
        await session.execute(copied, {"id": stuck.session_id, "user": stuck.id, "vault": vault.id})

    await delete_accounts(utc_now() + LATER)
    assert (await exists(stuck), await exists(other)) == (True, False)
    async with session_scope() as session:
        await session.execute(text("DELETE FROM vault_members WHERE id = :id"), {"id": stuck.session_id})
    await delete_accounts(utc_now() + LATER)
    assert not await exists(stuck)


async def test_deletion_needs_a_fresh_proof_a_session_and_the_scope(visitor):
    user, narrow = await make_user(), await make_user(scope="vault:read")
    key = await make_key(visitor, user, "profile")
    await grow_old(user)

    stale = await delete(visitor, user)
    by_key = await visitor.delete(ME, headers=bearer(key["key"]))
    restored_by_key = await visitor.post(f"{ME}/restore", headers=bearer(key["key"]))
    without_scope = await delete(visitor, narrow)
    without_token = await visitor.delete(ME)
    never = await visitor.post(f"{ME}/restore", headers=auth(user))

    assert (stale.status_code, stale.json()["code"]) == (403, "step-up-required")
    assert by_key.json()["code"] == restored_by_key.json()["code"] == "session-needed"
    assert (without_scope.status_code, without_token.status_code, never.status_code) == (403, 401, 409)
    assert (await sign_in(visitor, user.email, PASSWORD)).json()["deletion_at"] is None
