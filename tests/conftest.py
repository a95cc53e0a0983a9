"""One real PostgreSQL and one real Valkey for each test process; tests share them and make people of their own."""

import asyncio
import base64
import gc
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from datetime import datetime
from itertools import product
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app import tasks
from app.cli.embedded.postgres import PostgresUrls, embedded_postgres
from app.cli.embedded.valkey import embedded_valkey
from app.core.clock import utc_now
from app.core.config import Settings, load_settings
from app.core.logging import configure_logging
from app.db import runtime as runtimes
from app.db.models import OutboxEvent
from app.db.runtime import Runtime, close_runtime, open_runtime
from app.db.session import new_session, session_scope
from app.jobs import service as jobs
from app.jobs.models import Job
from app.jobs.runner import run_job
from app.main import create_app
from tests import ROOT
from tests.prepared import copy_server, furnish, prepared_server
from tests.stack import TOKEN_SECONDS, Stack, free_port

hypothesis_settings.register_profile("lifevault", deadline=None)  # how fast it is, benchmarks measure
hypothesis_settings.load_profile("lifevault")

TEMPLATE = "lifevault_template"
LONGEST = (
    "system/test_schemathesis.py",
    "cli/test_up.py",
    "exports/test_clients.py",
    "rag/test_parsing_hostile.py",
    "system/test_kills.py",
    "system/test_key_rotation.py",
    "payments/faults/test_faults.py",
    "payments/books/test_credit_histories.py",
    "rag/test_model_answers.py",
    "system/test_backup.py",
)
"""The files that take a minute or so; they begin, so that none of them runs alone at the end."""
GARBAGE = 50_000  # objects between two collections: applications and their models are not garbage
assert tasks.__all__  # importing them registers every package's tasks
applications: deque[tuple[Settings, FastAPI]] = deque(maxlen=8)
beginnings: deque[datetime] = deque(maxlen=1)
configure_logging()  # pytest shows the lines beside a failure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector what is here to stay: modules, functions, and what pytest knows of them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(GARBAGE, 20, 50)
        gc.enable()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def random_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresUrls]:
    """A server whose database `lifevault` has the newest schema, as has its template."""
    folder = tmp_path_factory.mktemp("postgres")
    copy_server(prepared_server(tmp_path_factory), folder)
    with embedded_postgres(folder, durable=False) as urls:
        asyncio.run(as_superuser(urls, f"CREATE DATABASE {TEMPLATE} TEMPLATE lifevault OWNER lifevault_owner"))
        yield urls


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def settings(postgres: PostgresUrls, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(
        environment="test",
        database_url=postgres.app,
        migration_database_url=postgres.owner,
        redis_url=valkey,
        redis_timeout_seconds=5,  # a busy machine is not a dead Redis
        root_keys=f"1:{random_key()}",
        token_keys=f"k1:{random_key()}",
        lookup_key=random_key(),
        blob_url=tmp_path_factory.mktemp("blobs").as_uri(),
        data_dir=tmp_path_factory.mktemp("data"),
        smtp_url="smtp://127.0.0.1:1",
        rate_limit_per_minute=0,
        anonymous_rate_limit_per_minute=0,
        access_token_seconds=TOKEN_SECONDS,
    )


@pytest.fixture(scope="session")
async def runtime(anyio_backend: str, settings: Settings) -> AsyncIterator[Runtime]:
    yield open_runtime(settings)
    await close_runtime()


async def as_superuser(postgres: PostgresUrls, *commands: str) -> None:
    connection = await asyncpg.connect(postgres.superuser)
    for each in commands:
        await connection.execute(each)
    await connection.close()


def at(url: str, database: str) -> str:
    """The same place and role, another database."""
    return f"{url.rpartition('/')[0]}/{database}"


@pytest.fixture
async def own_database(runtime: Runtime, postgres: PostgresUrls) -> AsyncIterator[Runtime]:
    """A new database for this test alone, and the runtime that works on it; name it before what makes rows."""
    name = f"own_{uuid4().hex}"
    await as_superuser(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER lifevault_owner")
    urls = {"database_url": at(postgres.app, name), "migration_database_url": at(postgres.owner, name)}
    settings = runtime.settings.model_copy(update={key: SecretStr(url) for key, url in urls.items()})
    yield open_runtime(settings)
    await close_runtime()
    runtimes._current[:] = [runtime]
    new_session.configure(bind=runtime.engine)
    await as_superuser(postgres, f"DROP DATABASE {name} WITH (FORCE)")  # a process that has ended may still be there


@pytest.fixture
async def session(runtime: Runtime) -> AsyncIterator[AsyncSession]:
    """A transaction of the system, for looking at rows and for factories that need one; committed at the end."""
    async with session_scope() as session:
        yield session


def application(settings: Settings) -> FastAPI:
    """The application for these settings; made once while it is in use, as each makes its own routes.

    It serves copies of the database too: which one is meant, the runtime knows.
    """
    urls = {name: getattr(settings, name) for name in ("database_url", "migration_database_url")}
    for each in applications:
        if each[0].model_copy(update=urls) == settings:
            applications.remove(each)
            applications.append(each)
            return each[1]
    applications.append((settings, create_app(settings)))
    return applications[-1][1]


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP to the application in this process, through all its layers."""
    transport = httpx.ASGITransport(application(runtime.settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def beginning() -> None:
    """From when on rows are those of the tests of this file."""
    beginnings.append(utc_now())


async def drain_jobs(settings: Settings, rounds: int = 20) -> list[UUID]:
    """Do all the background work that is due, in this process, as the worker would; returns the jobs it ran.

    What the tests of other files have left is forgotten.
    """
    async with session_scope() as session:
        for beginning, table in product(beginnings, (OutboxEvent, Job)):
            await session.execute(delete(table).where(table.created_at < beginning))
    ran = []
    for _ in range(rounds):
        async with session_scope() as session:
            await jobs.expand_events(session)
            due = await jobs.claim_due(session, settings.job_max_attempts)
        if not due:
            break
        for job_id in due:
            await run_job(job_id, settings.job_lease_seconds)
        ran += due
    return ran


@pytest.fixture(scope="module")
def make_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Makes a LifeVault of its own with these settings; it ends with the module, so that it slows no other test."""
    stacks: list[Stack] = []

    def make(**environment: str) -> Stack:
        stacks.append(_new_stack(tmp_path_factory, environment))
        stacks[-1].start()
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The LifeVault that tests share."""
    stack = _new_stack(tmp_path_factory, {})
    stack.start()
    yield stack
    stack.close()


def _new_stack(factory: pytest.TempPathFactory, environment: dict[str, str]) -> Stack:
    folder = factory.mktemp("a home") / "data of the fämily"
    if "DATABASE_URL" not in environment:
        furnish(prepared_server(factory), folder)
    return Stack(folder, free_port(), environment)
