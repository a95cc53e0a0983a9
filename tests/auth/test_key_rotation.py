"""A person's data key is exchanged, and nothing of theirs is lost."""

import pytest
from sqlalchemy import select

from app.cli.keys import _rotate_user
from app.db.models import DataKeyRow
from app.db.session import session_scope
from tests.factories import auth, make_user

pytestmark = pytest.mark.anyio


async def key_ids(owner_id):
    async with session_scope() as session:
        return set(await session.scalars(select(DataKeyRow.id).where(DataKeyRow.owner_id == owner_id)))


async def test_profile_and_sessions_stand_under_the_new_key_and_the_old_one_is_gone(client):
    user = await make_user(name="Ada Lovelace", user_agent="Analytical Engine/1.0")
    before = await key_ids(user.id)

    count = await _rotate_user(user.id, settle_seconds=0)

    after = await key_ids(user.id)
    assert count == 2
    assert (len(before), len(after), before & after) == (1, 1, set())
    me = (await client.get("/v1/auth/me", headers=auth(user))).json()
    sessions = (await client.get("/v1/auth/sessions", headers=auth(user))).json()["items"]
    assert (me["name"], me["email"]) == ("Ada Lovelace", user.email)
    assert "Analytical" in sessions[0]["device"]
