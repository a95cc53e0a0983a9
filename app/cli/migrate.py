"""`lifevault migrate`."""

import asyncio
import subprocess
import sys

import typer

from app.cli.work import stop_with


def migrate() -> None:
    """Bring the database of LIFEVAULT_DATABASE_URL to the newest schema (`up` does it by itself)."""
    from app.cli.embedded.migrations import upgrade_arguments  # noqa: PLC0415  keeps `--help` quick
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415

    try:
        settings = load_settings()
    except SettingsError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(1) from None
    url = settings.migration_url
    if not url:
        typer.echo("LIFEVAULT_DATABASE_URL is not set. The embedded database is migrated by `lifevault up`.", err=True)
        raise typer.Exit(1)
    arguments = (sys.executable, *upgrade_arguments())
    code = subprocess.run(arguments, check=False).returncode  # noqa: S603  our own arguments
    if code == 0 and settings.vector_index == "pgvector":
        _make_place_for_vectors(url)
    raise typer.Exit(code)


def _make_place_for_vectors(url: str) -> None:
    from app.db.engine import asyncpg_url  # noqa: PLC0415  as above
    from app.rag.pgvector.table import ExtensionMissing, create_table  # noqa: PLC0415

    try:
        asyncio.run(create_table(asyncpg_url(url)))
    except ExtensionMissing as error:
        stop_with(str(error))
