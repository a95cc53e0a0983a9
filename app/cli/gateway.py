"""`lifevault gateway`: the older services behind this one."""

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.work import stop_with

if TYPE_CHECKING:
    from app.gateway.smoke import Check

gateway_app = typer.Typer(name="gateway", help="The older services behind this one.", no_args_is_help=True)


@gateway_app.callback()
def _gateway() -> None:
    """The older services behind this one."""


@gateway_app.command()
def smoke(
    through: Annotated[
        str, typer.Option(metavar="URL", help="Ask a running LifeVault at this address for each route, too.")
    ] = "",
    token: Annotated[
        str, typer.Option(envvar="LIFEVAULT_TOKEN", show_envvar=True, help="Access token or API key for --through.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Ask every service for its health and every route for its smoke_path; exits with 1 if anything fails."""
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415  keeps `--help` quick
    from app.core.routing import TableError  # noqa: PLC0415
    from app.gateway.smoke import check_all, table_of  # noqa: PLC0415

    try:
        settings = load_settings()
        table = table_of(settings)
    except (SettingsError, TableError) as error:
        stop_with("\n".join(error.problems))
    if not table.services:
        stop_with("No service is set: see LIFEVAULT_GATEWAY_TABLE and LIFEVAULT_GATEWAY_FILE.")
    checks = asyncio.run(check_all(settings, table, through=through, token=token))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks]))
    else:
        _show(checks)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def _show(checks: "list[Check]") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415

    shown = Table(*(Column(name, overflow="fold") for name in ("", "What", "Where", "Status", "ms", "Note")))
    for check in checks:
        mark, status = "✓" if check.ok else "✗", str(check.status or "-")
        shown.add_row(mark, check.name, check.place, status, f"{check.milliseconds:.0f}", check.note)
    Console().print(shown)
