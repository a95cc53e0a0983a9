"""The schema that migrations make is the schema that the models mean."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest
from alembic import command

from app.cli.embedded.postgres import PostgresUrls
from tests.prepared import alembic_config

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty_database(postgres: PostgresUrls) -> Iterator[str]:
    import asyncio

    name = f"round_trip_{uuid4().hex[:8]}"

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(postgres.superuser)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run(f"CREATE DATABASE {name} OWNER lifevault_owner"))
    yield postgres.owner.rpartition("/")[0] + f"/{name}"
    asyncio.run(run(f"DROP DATABASE {name} WITH (FORCE)"))


def test_migrations_go_up_and_down_and_up_again_and_match_the_models(empty_database):
    config = alembic_config(empty_database)

    command.upgrade(config, "head")
    command.downgrade(config, "base")
    command.upgrade(config, "head")

    command.check(config)  # raises when the models differ


@pytest.mark.slow
def test_of_several_that_migrate_at_once_all_but_one_wait(empty_database):
    """Indexes that are made concurrently wait for every statement that runs, and so for none of those who wait here."""
    code = "import sys; from tests.prepared import migrate; migrate(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", code, empty_database]) for _ in range(3)]

    assert [process.wait(300) for process in processes] == [0, 0, 0]
    command.check(alembic_config(empty_database))


async def test_every_table_forces_row_level_security_on_the_application(postgres, runtime):
    connection = await asyncpg.connect(postgres.app)
    try:
        tables = await connection.fetch(
            "SELECT relname, relforcerowsecurity, relrowsecurity, pg_get_userbyid(relowner) AS owner FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
        )
        rights = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
    finally:
        await connection.close()

    assert tables
    assert [
        table["relname"] for table in tables if not (table["relforcerowsecurity"] and table["relrowsecurity"])
    ] == []
    assert {table["owner"] for table in tables} == {"lifevault_owner"}
    assert not any(rights.values())


async def test_without_a_principal_no_row_of_any_table_is_seen(postgres, runtime):
    connection = await asyncpg.connect(postgres.app)
    try:
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
            "AND relname <> 'alembic_version'"
        )
        counts = {name[0]: await connection.fetchval(f"SELECT count(*) FROM {name[0]}") for name in names}
    finally:
        await connection.close()

    assert set(counts.values()) == {0}
