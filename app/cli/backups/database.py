"""The database as one file, by PostgreSQL's own programs, and back.

The owner of the tables obeys their row security too, and sees every row as the system; what is written back is loaded
before the policies come.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from app.cli.embedded.binaries import postgres_programs
from app.cli.embedded.errors import EmbeddedError, ServiceFailed
from app.db.engine import asyncpg_url

AS_SYSTEM: Final = "-c app.principal=system -c statement_timeout=0 -c lock_timeout=60s"


def dump_database(url: str, target: Path) -> None:
    """Write everything in the database to a file, as it is at one moment. Raises `ServiceFailed`, `EmbeddedError`."""
    arguments = ("--format=custom", "--compress=0", "--no-owner", "--enable-row-security", "--schema=public")
    # Vectors in clear stand in a schema of their own and are copied again out of the sealed indexes.
    _run("pg_dump", url, *arguments, "--exclude-table-data=public.rag_vector_sets", f"--file={target}")


def load_database(url: str, source: Path) -> None:
    """Fill an empty database, all of it or nothing. Raises `ServiceFailed`, `EmbeddedError`."""
    listing = _run("pg_restore", None, "--list", str(source))
    wanted = [line for line in listing.splitlines() if " SCHEMA - public " not in line]  # each database has one
    entries = source.with_suffix(".list")
    entries.write_text("\n".join(wanted))
    arguments = ("--no-owner", "--exit-on-error", "--single-transaction", f"--use-list={entries}")
    _run("pg_restore", url, *arguments, str(source))


def is_empty(url: str) -> bool:
    """Whether nothing of LifeVault is in the database."""
    question = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"
    return _run("psql", url, "--no-psqlrc", "-Atc", question).strip() == "0"


def _run(name: str, url: str | None, *arguments: str) -> str:
    """What a program prints. The password goes by the environment: everybody sees a command line."""
    environment = {**os.environ, **(_environment(url) if url else {})}
    target = [f"--dbname={environment['PGDATABASE']}"] if url and name == "pg_restore" else []
    command = [str(_program(name)), *target, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ServiceFailed(f"{name} ended with code {done.returncode}.", done.stderr[-2_000:])
    return done.stdout


def _environment(url: str) -> dict[str, str]:
    parts = urlsplit(asyncpg_url(url))
    query = parse_qs(parts.query)
    values = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        "PGSSLMODE": query.get("sslmode", ["prefer"])[0],
        "PGOPTIONS": AS_SYSTEM,
    }
    return {name: value for name, value in values.items() if value}


def _program(name: str) -> Path:
    """PostgreSQL 18's, which comes with the embedded server, or one on the PATH."""
    try:
        bundled = postgres_programs(None) / name
        if bundled.exists():
            return bundled
    except EmbeddedError:
        pass
    found = shutil.which(name)
    if found is None:
        raise EmbeddedError(f"{name} is needed: install lifevault[embedded] or PostgreSQL's client programs.")
    return Path(found)
