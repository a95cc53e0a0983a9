"""Nothing in the tables tells who somebody is; and a person's transaction sees that person's rows only."""

import base64

import asyncpg
import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from app.auth.models import Link, RefreshToken, User, UserSession
from app.auth.profiles import Profile, find_profile, profile
from app.core.clock import new_id
from app.core.crypto import SealBroken
from app.db.runtime import current
from app.db.session import NOBODY, Actor, session_scope
from app.notifications.models import Mail
from app.notifications.service import queue_mail
from tests.auth.test_accounts import sign_in
from tests.factories import make_user

pytestmark = pytest.mark.anyio

TABLES = (
    "auth_users",
    "auth_sessions",
    "auth_refresh_tokens",
    "auth_links",
    "auth_api_keys",
    "auth_totp",
    "auth_recovery_codes",
    "auth_passkeys",
    "auth_challenges",
    "auth_identities",
    "notifications_mails",
    "outbox_events",
    "jobs",
)
MODELS = (User, UserSession, RefreshToken, Link)


def spellings(word: str) -> list[bytes]:
    """A word as it could stand in a table."""
    plain = word.encode()
    codes = [base64.b64encode(b"\0" * shift + plain)[4:-4] for shift in range(3)]
    return [plain, plain.hex().encode(), word.encode("utf-16-le"), *codes]


async def rows_of(url: str) -> bytes:
    """Everything in our tables, as bytes, read by the superuser."""
    connection = await asyncpg.connect(url)
    try:
        rows = [row for table in TABLES for row in await connection.fetch(f"SELECT * FROM {table}")]
    finally:
        await connection.close()
    values = [value for row in rows for value in row.values()]
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


async def test_no_column_shows_a_name_an_address_or_a_token(postgres, visit, session):
    user = await make_user(email="Marker.Person@hidden-domain.example", name="Zebulon Quartermaster")
    visitor = visit("198.51.100.222", **{"User-Agent": "Markerbrowser/1.0"})
    tokens = (await sign_in(visitor, user.email)).json()
    await visitor.post("/v1/auth/forgot-password", json={"email": user.email})
    async with session_scope() as other:
        await queue_mail(other, owner_id=user.id, to=user.email, template="reset_password", name=user.name, token="x")

    found = (await rows_of(postgres.superuser)).lower()

    words = ["marker.person", "hidden-domain", "zebulon", "quartermaster", "198.51.100.222", "markerbrowser"]
    words += [tokens["refresh_token"], user.refresh_token, user.password]
    assert [word for word in words if any(spelling.lower() in found for spelling in spellings(word))] == []
    assert b"argon2id" in found


async def everything_of(user) -> None:
    """A link and a mail, so that the person has a row in every table."""
    async with session_scope() as session:
        link = {"id": new_id(), "user_id": user.id, "kind": "reset", "digest": user.id.bytes}
        await session.execute(insert(Link).values(**link, expires_at=func.now()))


async def test_row_security_alone_keeps_people_apart():
    user, stranger = await make_user(), await make_user()
    await everything_of(user)

    for actor in (Actor.user(stranger.id), Actor.vault(user.id), NOBODY):
        async with session_scope(actor) as session:
            for model in MODELS:
                owner = model.id if model is User else model.user_id
                seen = await session.scalar(select(func.count()).select_from(model).where(owner == user.id))
                changed = await session.scalars(
                    update(model).where(owner == user.id).values(id=new_id()).returning(owner)
                )
                deleted = await session.scalars(delete(model).where(owner == user.id).returning(owner))
                assert (seen, list(changed), list(deleted)) == (0, [], []), (actor, model)

    async with session_scope(Actor.user(user.id)) as session:
        for model in MODELS:
            assert await session.scalar(select(func.count()).select_from(model)) == 1


async def test_nobody_can_write_rows_for_somebody_else():
    user, stranger = await make_user(), await make_user()
    link = {"id": new_id(), "user_id": user.id, "kind": "reset", "digest": b"forged", "expires_at": func.now()}

    with pytest.raises(ProgrammingError, match="row-level security"):
        async with session_scope(Actor.user(stranger.id)) as session:
            await session.execute(insert(Link).values(**link))


async def test_a_person_may_queue_a_mail_and_read_none():
    user = await make_user()
    async with session_scope(Actor.user(user.id)) as session:
        await queue_mail(session, owner_id=user.id, to=user.email, template="password_changed", name="Ada")
        assert await session.scalar(select(func.count()).select_from(Mail)) == 0
        await session.execute(delete(Mail))

    async with session_scope() as session:
        assert await session.scalar(select(func.count()).where(Mail.owner_id == user.id)) == 1


async def test_a_profile_is_open_to_its_owner_and_the_system_only():
    user, stranger = await make_user(name="Grace Hopper"), await make_user()

    for actor in (Actor.user(user.id), Actor("system")):
        async with session_scope(actor) as session:
            assert await profile(session, user.id) == Profile(user.email, "Grace Hopper")
    async with session_scope(Actor.user(stranger.id)) as session:
        assert await find_profile(session, user.id) is None
        with pytest.raises(LookupError):
            await profile(session, user.id)


async def test_a_profile_that_was_moved_to_another_account_is_refused():
    user, other = await make_user(), await make_user()
    current().keys.forget(user.id)
    async with session_scope() as session:
        cell = select(User.profile).where(User.id == other.id).scalar_subquery()
        await session.execute(update(User).where(User.id == user.id).values(profile=cell))

    async with session_scope() as session:
        with pytest.raises(SealBroken):
            await profile(session, user.id)


async def test_a_data_key_in_use_can_not_be_destroyed():
    user = await make_user()

    with pytest.raises(Exception, match="fk_auth_"):
        async with session_scope() as session:
            await current().keys.destroy(session, user.id)

    async with session_scope() as session:
        assert (await session.execute(text("SELECT 1"))).scalar() == 1
        assert (await profile(session, user.id)).email == user.email
