"""A PostgreSQL with the newest schema, made once for all processes of a run: whoever needs a server copies it."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from app.cli.embedded.files import private_folder, read_json, write_json
from app.cli.embedded.lock import DataLock
from app.cli.embedded.postgres import PostgresPasswords, embedded_postgres
from app.cli.embedded.secrets import Secrets, store_secrets
from tests import ROOT

MOST_SECONDS = 300


def alembic_config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    command.upgrade(alembic_config(url), "head")


def prepared_server(factory: pytest.TempPathFactory) -> Path:
    """The folder of an `embedded_postgres` that has ended: to be copied, never to be started."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, lock = shared / "prepared", DataLock(shared)
    assert lock.acquire(timeout_seconds=MOST_SECONDS)
    try:
        if not folder.exists():
            _make(shared / "prepared.new").rename(folder)
    finally:
        lock.release()
    return folder


def _make(draft: Path) -> Path:
    shutil.rmtree(draft, ignore_errors=True)
    with embedded_postgres(draft, durable=False) as urls:
        migrate(urls.owner)
    write_json(draft / "postgres.json", {"passwords": read_json(draft / "postgres.json")["passwords"]})
    with (draft / "postgres/cluster/postgresql.conf").open("a") as settings:
        settings.write("fsync = off\n")  # the machine of a test does not crash: what killed processes wrote is kept
    return draft


def copy_server(prepared: Path, folder: Path) -> None:
    """Make the folder of an `embedded_postgres` of one's own."""
    subprocess.run(["cp", "-Rp", f"{prepared}/.", folder], check=True)


def furnish(prepared: Path, folder: Path) -> None:
    """Make a data folder as the first `up` would, with keys of its own."""
    passwords = PostgresPasswords(**read_json(prepared / "postgres.json")["passwords"])
    store_secrets(private_folder(folder), replace(Secrets.generate(), postgres=passwords))
    subprocess.run(["cp", "-Rp", prepared / "postgres", folder], check=True)
