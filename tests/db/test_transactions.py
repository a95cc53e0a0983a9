"""Transactions: how they begin and end, for whom they act, and what the pool gives out."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from app.core.clock import new_id
from app.db.models import OutboxEvent
from app.db.runtime import Runtime
from app.db.session import NOBODY, SYSTEM, Actor, enter, new_session, session_scope, transaction_of
from tests.db.queries import queries

pytestmark = pytest.mark.anyio

PRINCIPAL = text("SELECT current_setting('app.principal', true)")
BACKEND = text("SELECT pg_backend_pid()")
NOTHING = "SELECT 1 WHERE false"


@pytest.fixture
async def one_connection(runtime: Runtime):
    """A pool whose connections all rest but one, so that transactions follow each other on it."""
    engine = runtime.engine
    held = []
    async with asyncio.timeout(20):
        while engine.pool.checkedout() + 1 < engine.pool.size() + engine.pool._max_overflow:
            held.append(await engine.connect())
    yield
    for connection in held:
        await connection.close()


async def test_a_transaction_keeps_nothing_of_the_principal_of_the_one_before(one_connection):
    first, second = Actor.user(uuid4()), Actor.vault(uuid4())
    seen = []
    for actor in (first, second, NOBODY, SYSTEM):
        async with session_scope(actor) as session:
            seen.append((await session.scalar(BACKEND), await session.scalar(PRINCIPAL)))

    assert len({backend for backend, _ in seen}) == 1
    assert [principal for _, principal in seen] == [first.setting, second.setting, "", "system"]


async def test_outside_a_transaction_a_connection_has_no_principal(runtime, one_connection):
    async with session_scope(SYSTEM) as session:
        backend = await session.scalar(BACKEND)
    async with runtime.engine.connect() as connection:
        assert await connection.scalar(BACKEND) == backend
        assert not await connection.scalar(PRINCIPAL)


async def test_a_transaction_is_three_round_trips_with_one_statement_in_it(runtime):
    async with queries(runtime) as sent, session_scope(SYSTEM) as session:
        await session.scalar(BACKEND)

    assert sorted(sent) == [
        "BEGIN; SELECT set_config('app.principal', 'system', true);",
        "COMMIT",
        "SELECT pg_backend_pid()",
    ]


async def test_the_question_at_the_beginning_is_asked_in_the_same_round_trip_and_as_the_principal(runtime):
    actor = Actor.user(uuid4())
    question = f"SELECT 1 WHERE current_setting('app.principal') = '{actor.setting}'"
    async with queries(runtime) as sent:
        async with new_session() as session:
            assert await enter(session, actor, question)
        async with new_session() as session:
            assert not await enter(session, NOBODY, question)

    assert [query.partition(";")[0] for query in sent] == ["BEGIN", "ROLLBACK", "BEGIN", "ROLLBACK"]


async def test_no_transaction_is_entered_twice():
    async with new_session() as session:
        await enter(session, SYSTEM, NOTHING)
        with pytest.raises(RuntimeError):
            await enter(session, NOBODY, NOTHING)


async def test_a_quote_in_a_principal_stays_text():
    odd = Actor("user:'; SELECT set_config('app.principal', 'system', true); --")
    async with session_scope(odd) as session:
        assert await session.scalar(PRINCIPAL) == odd.setting


async def test_a_savepoint_sends_nothing_but_itself(runtime):
    async with queries(runtime) as sent, session_scope(SYSTEM) as session, session.begin_nested():
        await session.scalar(BACKEND)

    words = sorted(query.split()[0].strip(";") for query in sent)
    assert words == ["BEGIN", "COMMIT", "RELEASE", "SAVEPOINT", "SELECT"]


async def test_what_an_exception_leaves_is_rolled_back():
    event_id = new_id()

    async def fail() -> None:
        async with session_scope() as session:
            await session.execute(insert(OutboxEvent).values(id=event_id, event="test.happened"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with session_scope() as session:
        assert await session.get(OutboxEvent, event_id) is None


async def test_a_commit_that_the_database_turned_into_a_rollback_is_an_error():
    event_id = new_id()
    async with new_session(info={"role": None, "actor": SYSTEM}) as session:
        await session.execute(insert(OutboxEvent).values(id=event_id, event="test.happened"))
        with pytest.raises(DBAPIError):
            await session.execute(text("SELECT 1 / 0"))
        with pytest.raises(InvalidRequestError):
            await session.commit()


async def test_a_cancelled_transaction_gives_back_a_connection_without_one(runtime, one_connection):
    async def sleep() -> None:
        async with session_scope(SYSTEM) as session:
            await session.execute(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(sleep())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with session_scope(NOBODY) as session:
        assert await session.scalar(PRINCIPAL) == ""


async def test_a_connection_that_the_server_closed_is_not_given_out(runtime, one_connection, postgres):
    async with session_scope(SYSTEM) as session:
        backend = await session.scalar(BACKEND)
    connection = await asyncpg.connect(postgres.superuser)
    await connection.execute("SELECT pg_terminate_backend($1)", backend)
    await connection.close()
    await asyncio.sleep(0.1)

    async with session_scope(SYSTEM) as session:
        assert await session.scalar(BACKEND) != backend


async def test_a_connection_that_rested_for_long_is_asked_whether_it_lives(runtime, one_connection, monkeypatch):
    async with session_scope(SYSTEM):
        pass
    asked = []
    for rest_seconds in (30, -1):
        monkeypatch.setattr("app.db.driver.REST_SECONDS", rest_seconds)
        async with session_scope(SYSTEM) as session:
            driver = await transaction_of(session).driver()
        log = lambda query: asked.append(query.query)  # noqa: E731
        driver.add_query_logger(log)

    await asyncio.sleep(0)
    driver.remove_query_logger(log)
    assert asked == ["SELECT 1", "BEGIN; SELECT set_config('app.principal', 'system', true); ", "COMMIT"]


def insert_sql(name: str) -> str:
    """A command for `at_commit` that notes whom it acts for, in a table that one can look into."""
    return (
        "INSERT INTO outbox_events (id, event, payload) VALUES "
        f"(gen_random_uuid(), '{name}', jsonb_build_object('by', current_setting('app.principal')))"
    )


async def noted(name: str) -> list[str]:
    async with session_scope() as session:
        statement = text("DELETE FROM outbox_events WHERE event = :name RETURNING payload->>'by'")
        return list(await session.scalars(statement, {"name": name}))


async def test_what_is_left_to_the_commit_is_sent_with_it_for_whom_it_was_meant(runtime):
    name, vault = f"test.{uuid4().hex}", Actor.vault(uuid4())
    async with queries(runtime) as sent, session_scope(SYSTEM) as session:
        await session.scalar(BACKEND)
        transaction_of(session).at_commit(insert_sql(name), SYSTEM, order=2)
        transaction_of(session).at_commit("SELECT 1", vault, order=1)
        transaction_of(session).at_commit(insert_sql(name), SYSTEM, order=3)

    assert len(sent) == 3
    assert await noted(name) == ["system", "system"]


async def test_what_is_left_to_the_commit_of_a_transaction_without_statements_is_done(runtime):
    name = f"test.{uuid4().hex}"
    async with session_scope(SYSTEM) as session:
        transaction_of(session).at_commit(insert_sql(name), SYSTEM, order=1)

    assert await noted(name) == ["system"]


async def test_if_what_is_left_to_the_commit_fails_nothing_is_committed(runtime):
    name = f"test.{uuid4().hex}"

    async def fail() -> None:
        async with session_scope(SYSTEM) as session:
            await session.execute(insert(OutboxEvent).values(id=new_id(), event=name, payload={"by": "me"}))
            transaction_of(session).at_commit("SELECT 1 / 0", SYSTEM, order=1)

    with pytest.raises(DBAPIError, match="division by zero"):
        await fail()
    assert await noted(name) == []


async def test_what_is_left_to_the_commit_goes_with_a_rollback(runtime):
    name = f"test.{uuid4().hex}"
    async with session_scope(SYSTEM) as session:
        transaction_of(session).at_commit(insert_sql(name), SYSTEM, order=1)
        await session.rollback()
        await session.scalar(BACKEND)

    assert await noted(name) == []
