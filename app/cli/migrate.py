"""`lifevault migrate`."""

import subprocess
import sys

import typer


def migrate() -> None:
    """Bring the database of LIFEVAULT_DATABASE_URL to the newest schema (`up` does it by itself)."""
    from app.cli.embedded.migrations import upgrade_arguments  # noqa: PLC0415  keeps `--help` quick
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415

    try:
        url = load_settings().migration_url
    except SettingsError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(1) from None
    if not url:
        typer.echo("LIFEVAULT_DATABASE_URL is not set. The embedded database is migrated by `lifevault up`.", err=True)
        raise typer.Exit(1)
    arguments = (sys.executable, *upgrade_arguments())
    raise typer.Exit(subprocess.run(arguments, check=False).returncode)  # noqa: S603  our own arguments
