"""Whatever somebody does while signed in shows that they are there, and only the database's clock says when."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from app.auth import service as auth_service
from app.auth.tasks import purge
from app.db.session import session_scope
from tests.factories import TestUser, auth, make_user
from tests.nominees.conftest import rows_of

pytestmark = pytest.mark.anyio
LONG_AGO = timedelta(days=300)


async def last_seen(user: TestUser) -> datetime | None:
    async with session_scope() as session:
        return (await auth_service.last_seen(session, [user.id])).get(user.id)


async def long_away(user: TestUser) -> None:
    """Let the person not have been there for long, in whatever table it shows."""
    for table, column, owner in (
        ("auth_users", "last_seen_at", "id"),
        ("auth_sessions", "last_seen_at", "user_id"),
        ("auth_api_keys", "last_used_at", "user_id"),
    ):
        statement = f"UPDATE {table} SET {column} = now() - interval '300 days' WHERE {owner} = :id RETURNING id"
        await rows_of(statement, id=user.id)
    seen = await last_seen(user)
    assert seen is not None
    assert seen < datetime.now(UTC) - timedelta(days=299)


async def is_there(user: TestUser) -> bool:
    seen = await last_seen(user)
    return seen is not None and seen > datetime.now(UTC) - timedelta(hours=2)


async def test_a_request_in_a_session_shows_it(visitor: httpx.AsyncClient):
    user = await make_user()
    await long_away(user)
    assert (await visitor.get("/v1/auth/me", headers=auth(user))).status_code == 200
    assert await is_there(user)


async def test_a_refresh_shows_it_however_often_it_is_the_only_thing(visitor: httpx.AsyncClient):
    user = await make_user()
    await visitor.get("/v1/auth/me", headers=auth(user))
    await long_away(user)
    answer = await visitor.post("/v1/auth/refresh", json={"refresh_token": user.refresh_token})
    assert answer.status_code == 200
    assert await is_there(user)


async def test_a_new_sign_in_shows_it(visitor: httpx.AsyncClient):
    user = await make_user()
    await long_away(user)
    form = {"username": user.email, "password": user.password}
    assert (await visitor.post("/v1/auth/token", data=form)).status_code == 200
    assert await is_there(user)


async def test_a_program_with_a_key_shows_it(visitor: httpx.AsyncClient):
    user = await make_user()
    key = await visitor.post("/v1/auth/api-keys", json={"name": "K", "scopes": ["profile"]}, headers=auth(user))
    await long_away(user)
    headers = {"Authorization": f"Bearer {key.json()['key']}"}
    assert (await visitor.get("/v1/auth/me", headers=headers)).status_code == 200
    assert await is_there(user)


async def test_somebody_who_comes_by_a_foreign_sign_in_is_seen():
    user = await make_user()
    await long_away(user)
    await auth_service.note_presence(user.id)
    assert await is_there(user)


async def test_what_ended_sessions_say_is_kept_when_they_are_purged():
    user = await make_user()
    statement = "UPDATE auth_users SET last_seen_at = now() - interval '300 days' WHERE id = :id RETURNING id"
    await rows_of(statement, id=user.id)
    ended = """UPDATE auth_sessions SET last_seen_at = now() - interval '40 days', ended_at = now() - interval '40 days'
    WHERE user_id = :id RETURNING id"""
    await rows_of(ended, id=user.id)
    before = await last_seen(user)

    await purge()

    assert await rows_of("SELECT id FROM auth_sessions WHERE user_id = :id", id=user.id) == []
    assert await last_seen(user) == before


async def test_a_wrong_password_and_an_account_that_is_being_deleted_show_nothing(visitor: httpx.AsyncClient):
    user = await make_user()
    await long_away(user)
    form = {"username": user.email, "password": "something else"}
    assert (await visitor.post("/v1/auth/token", data=form)).status_code == 401
    assert not await is_there(user)
    await rows_of("UPDATE auth_users SET deletion_at = now() WHERE id = :id RETURNING id", id=user.id)
    assert await last_seen(user) is None
    async with session_scope() as session:
        assert await auth_service.last_seen(session, [UUID(int=1)]) == {}
