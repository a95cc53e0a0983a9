"""`up` with servers of one's own: PostgreSQL by a URL whose user owns the tables, Redis by a URL."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import asyncpg
import psutil
import pytest

from app.cli.embedded.postgres import PostgresUrls
from app.cli.embedded.running import read_record
from tests.stack import Stack, upload, wait_for_job
from tests.system.test_main_job import PAGES, pdf

pytestmark = pytest.mark.slow


@pytest.fixture
def own_database(postgres: PostgresUrls) -> str:
    """A database of an ordinary role that is neither superuser nor the application's role, as a managed server has."""
    name = f"external_{uuid4().hex[:8]}"

    async def make() -> None:
        connection = await asyncpg.connect(postgres.superuser)
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'external' CREATEROLE")
        await connection.execute(f"GRANT lifevault_app TO {name} WITH ADMIN OPTION")
        await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
        await connection.close()

    asyncio.run(make())
    place = postgres.superuser.partition("@")[2].rpartition("/")[0]
    return f"postgresql://{name}:external@{place}/{name}"


def test_the_main_job_runs_on_servers_given_by_url(make_stack: Callable[..., Stack], own_database: str, valkey: str):
    stack = make_stack(DATABASE_URL=own_database, REDIS_URL=valkey)
    person = stack.person()
    document = upload(person, "Home insurance.pdf", pdf(PAGES))

    assert wait_for_job(person, document["job_id"])["state"] == "succeeded"
    answer = person.client.post("/v1/rag/ask", json={"question": "What is the excess for water damage?"}).json()
    assert "420 euros" in answer["answer"]
    record = read_record(stack.folder)
    assert record is not None
    assert {"postgres", "valkey"}.isdisjoint(mark.name for mark in record.children)
    names = {process.name() for process in psutil.Process(record.supervisor.pid).children(recursive=True)}
    assert "postgres" not in names
    assert seen_by_owner_without_principal(own_database) == 0
    stack.stop()


def seen_by_owner_without_principal(url: str) -> int:
    """How many items the owner of the tables sees without a principal: row-level security is forced on owners, too."""

    async def count() -> int:
        connection = await asyncpg.connect(url)
        seen: int = await connection.fetchval("SELECT count(*) FROM vault_documents")
        await connection.close()
        return seen

    return asyncio.run(count())
