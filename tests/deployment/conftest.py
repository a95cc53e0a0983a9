"""A place to deploy to: a database of its own, and the variables of the processes that use it."""

import io
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from app.cli.embedded.postgres import PostgresUrls
from app.core.config import Settings
from tests import ROOT
from tests.conftest import TEMPLATE, as_superuser, at
from tests.serving import environment_of


@dataclass(frozen=True)
class Place:
    """A database, and what the processes are given."""

    owner_url: str
    environment: dict[str, str]


@pytest.fixture
async def place(postgres: PostgresUrls, settings: Settings, tmp_path: Path) -> AsyncIterator[Place]:
    """With an empty database."""
    async with _place(postgres, settings, tmp_path, template="template1") as made:
        yield made


@pytest.fixture
async def migrated_place(postgres: PostgresUrls, settings: Settings, tmp_path: Path) -> AsyncIterator[Place]:
    """With a database that has the newest schema."""
    async with _place(postgres, settings, tmp_path, template=TEMPLATE) as made:
        yield made


@asynccontextmanager
async def _place(postgres: PostgresUrls, settings: Settings, folder: Path, template: str) -> AsyncIterator[Place]:
    name = f"deployed_{uuid4().hex}"
    await as_superuser(postgres, f"CREATE DATABASE {name} TEMPLATE {template} OWNER lifevault_owner")
    owner_url = at(postgres.owner, name)
    urls = {"database_url": at(postgres.app, name), "migration_database_url": owner_url}
    yield Place(owner_url, environment_of(settings, **urls, blob_url=(folder / "blobs").as_uri()))
    await as_superuser(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the last release: of the commit that wrote down its API, or where LIFEVAULT_TEST_RELEASED says."""
    given = os.environ.get("LIFEVAULT_TEST_RELEASED")
    if given:
        return Path(given)
    asked = ["git", "log", "-1", "--format=%H", "--", "tests/exports/released"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    if not commit:
        pytest.skip("the history of the sources is not here")
    folder = tmp_path_factory.mktemp("released")
    archive = ["git", "archive", commit, "app", "alembic", "alembic.ini"]
    packed = subprocess.run(archive, cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    return folder
