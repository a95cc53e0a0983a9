"""`lifevault doctor`: is everything there that LifeVault needs, and does it work?"""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import DataOption, data_folder

if TYPE_CHECKING:
    from app.cli.checking.finding import Finding
    from app.core.config import Settings

MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


def doctor(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check settings, database, replicas, role, migrations, keys, Redis, files, mail, disk, clock and tesseract.

    It looks at what the environment names, or at a running `up`, and changes nothing. Exits with 1 if a part fails.
    """
    findings = _examine(data)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        _show(findings)
    raise typer.Exit(1 if any(finding.state == "failed" for finding in findings) else 0)


def _examine(data: Path | None) -> "list[Finding]":
    from app.cli.checking.finding import Finding  # noqa: PLC0415  keeps `--help` quick
    from app.cli.embedded.errors import EmbeddedError  # noqa: PLC0415
    from app.cli.embedded.instance import settings_of_running  # noqa: PLC0415
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415

    try:
        settings = load_settings()
        if not settings.database_url.get_secret_value():
            settings = settings_of_running(data_folder(data))
    except SettingsError as error:
        return [Finding("settings", "failed", problem) for problem in error.problems]
    except EmbeddedError as error:
        return [Finding("settings", "failed", f"LIFEVAULT_DATABASE_URL is not set. {error}")]
    return [Finding("settings", "ok", settings.environment), *asyncio.run(_examine_parts(settings))]


async def _examine_parts(settings: "Settings") -> "list[Finding]":
    from app.cli.checking import database, services  # noqa: PLC0415
    from app.cli.checking.finding import Check, found_by  # noqa: PLC0415
    from app.db.runtime import close_runtime, open_runtime  # noqa: PLC0415

    checks: dict[str, Check] = {
        "database": lambda: database.check_server(settings),
        "migrations": lambda: database.check_schema(settings),
        "keys": lambda: database.check_keys(settings),
        "replicas": lambda: database.check_replicas(settings),
        "worker": database.check_work,
        "redis": services.check_redis,
        "blobs": services.check_blobs,
        "smtp": lambda: services.check_mail(settings),
        "disk": lambda: services.check_disk(settings),
        "tesseract": lambda: services.check_tesseract(settings),
        "gateway": lambda: services.check_gateway(settings),
    }
    open_runtime(settings)
    try:
        return [finding for name, check in checks.items() for finding in await found_by(name, check)]
    finally:
        await close_runtime()


def _show(findings: "list[Finding]") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415

    shown = Table("", "Part", Column("Finding", overflow="fold"))
    for finding in findings:
        shown.add_row(MARKS[finding.state], finding.name, finding.detail)
    Console().print(shown)
