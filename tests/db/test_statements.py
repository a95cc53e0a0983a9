"""Constant statements on the connection of the session's transaction."""

import os
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.api.problems import is_outage
from app.core.clock import new_id
from app.db.models import DataKeyRow, OutboxEvent
from app.db.session import NOBODY, SYSTEM, Actor, session_scope
from app.db.statements import Statement

pytestmark = pytest.mark.anyio

KEYS = DataKeyRow.__table__
EVENTS = OutboxEvent.__table__
NAMES = ("id", "purpose", "owner_id", "version", "root_version", "wrapped", "retired_at")
ADD_KEY = Statement(insert(KEYS).values({name: bindparam(name) for name in NAMES}).returning(KEYS.c.created_at))
READ_KEY = Statement(select(KEYS).where(KEYS.c.id == bindparam("key_id")))
ADD_EVENT = Statement(
    insert(EVENTS).values(id=bindparam("event_id"), event=bindparam("name"), payload=bindparam("ids"))
)
READ_EVENT = Statement(select(EVENTS.c.payload, EVENTS.c.event).where(EVENTS.c.id == bindparam("event_id")))


def a_key(**changes: object) -> dict[str, object]:
    key = dict.fromkeys(NAMES) | {"id": new_id(), "purpose": "vault", "owner_id": uuid4(), "version": 1}
    return key | {"root_version": 1, "wrapped": os.urandom(60)} | changes


async def test_ids_bytes_times_and_nothing_come_back_as_they_went_in(runtime):
    key = a_key(retired_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    async with session_scope(SYSTEM) as session:
        created_at = await ADD_KEY.scalar(session, **key)
        read = await READ_KEY.first(session, key_id=key["id"])
        by_session = (await session.execute(select(KEYS).where(KEYS.c.id == key["id"]))).mappings().one()

    assert read is not None
    assert dict(read) == dict(by_session) == {**key, "created_at": created_at}
    assert {type(value) for value in read.values()} == {type(value) for value in by_session.values()}


async def test_json_comes_back_as_it_went_in(runtime):
    event_id, ids = new_id(), {"item_id": str(uuid4()), "count": 2}
    async with session_scope(SYSTEM) as session:
        await ADD_EVENT.fetch(session, event_id=event_id, name="test.happened", ids=ids)
        read = await READ_EVENT.first(session, event_id=event_id)

    assert read is not None
    assert dict(read) == {"payload": ids, "event": "test.happened"}


async def test_it_is_part_of_the_session_s_transaction(runtime):
    key = a_key()

    async def add_and_fail() -> None:
        async with session_scope(SYSTEM) as session:
            await ADD_KEY.fetch(session, **key)
            assert await session.get(DataKeyRow, key["id"]) is not None
            await session.execute(update(KEYS).where(KEYS.c.id == key["id"]).values(version=7))
            assert (await READ_KEY.fetch(session, key_id=key["id"]))[0]["version"] == 7
            raise LookupError

    with pytest.raises(LookupError):
        await add_and_fail()
    async with session_scope(SYSTEM) as session:
        assert await READ_KEY.first(session, key_id=key["id"]) is None


async def test_a_session_that_commits_on_its_way_goes_on_in_its_next_transaction(runtime):
    async with session_scope(SYSTEM) as session:
        key = a_key()
        await ADD_KEY.fetch(session, **key)
    async with session_scope(SYSTEM) as session:
        pass
    from app.db.session import act_for, new_session

    async with new_session() as session:
        act_for(session, SYSTEM)
        assert await READ_KEY.first(session, key_id=key["id"]) is not None
        await session.commit()
        assert await READ_KEY.first(session, key_id=key["id"]) is not None
        assert await session.scalar(text("SELECT current_setting('app.principal')")) == "system"


async def test_row_level_security_holds(runtime):
    key = a_key()
    async with session_scope(SYSTEM) as session:
        await ADD_KEY.fetch(session, **key)
    for actor in (NOBODY, Actor.user(uuid4()), Actor.vault(uuid4())):
        async with session_scope(actor) as session:
            assert await READ_KEY.first(session, key_id=key["id"]) is None


async def test_a_broken_rule_of_the_database_is_an_integrity_error(runtime):
    key = a_key()
    async with session_scope(SYSTEM) as session:
        await ADD_KEY.fetch(session, **key)
    with pytest.raises(IntegrityError) as caught:
        async with session_scope(SYSTEM) as session:
            await ADD_KEY.fetch(session, **{**key, "version": 2})
    assert not is_outage(caught.value)


async def test_a_lost_connection_is_an_outage_and_a_wrong_statement_is_not(runtime, postgres):
    async def end_itself() -> None:
        async with session_scope(SYSTEM) as session:
            backend = await session.scalar(text("SELECT pg_backend_pid()"))
            connection = await asyncpg.connect(postgres.superuser)
            await connection.execute("SELECT pg_terminate_backend($1)", backend)
            await connection.close()
            await READ_KEY.fetch(session, key_id=uuid4())

    async def divide_by_nothing() -> None:
        async with session_scope(SYSTEM) as session:
            await Statement(select(1 / func.length(bindparam("words")))).fetch(session, words="")

    with pytest.raises(DBAPIError) as lost:
        await end_itself()
    with pytest.raises(DBAPIError) as wrong:
        await divide_by_nothing()

    assert is_outage(lost.value)
    assert not is_outage(wrong.value)
    assert "length" not in str(wrong.value)  # the text of a statement may hold ids


async def test_it_takes_exactly_its_parameters(runtime):
    async with session_scope(SYSTEM) as session:
        for values in ({}, {"key": uuid4()}, {"key_id": uuid4(), "more": 1}):
            with pytest.raises(TypeError):
                await READ_KEY.fetch(session, **values)


async def test_a_list_that_is_part_of_the_statement_is_sent_with_it(runtime):
    kept, other = a_key(purpose="vault"), a_key(purpose="user")
    read = Statement(
        select(KEYS.c.id).where(KEYS.c.id.in_([kept["id"], other["id"]]), KEYS.c.purpose == bindparam("purpose"))
    )
    async with session_scope(SYSTEM) as session:
        for key in (kept, other):
            await ADD_KEY.fetch(session, **key)
        assert [row["id"] for row in await read.fetch(session, purpose="user")] == [other["id"]]
        assert (
            await Statement(delete(KEYS).where(KEYS.c.id == bindparam("key_id"))).fetch(session, key_id=kept["id"])
            == []
        )
        assert [row["id"] for row in await read.fetch(session, purpose="vault")] == []


def test_only_ids_are_written_into_a_statement():
    key_id = uuid4()
    assert READ_KEY.with_ids(key_id=key_id).endswith(f"WHERE data_keys.id = '{key_id}'::UUID")
    with pytest.raises(AttributeError):
        READ_KEY.with_ids(key_id="x' OR true --")  # type: ignore[arg-type]
