"""`lifevault up`."""

import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from app.cli.options import DataOption, data_folder


def up(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every network of this machine.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the API.", show_default="8000, or the next free one")
    ] = None,
    data: DataOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the services write.")] = False,
) -> None:
    """Start LifeVault with everything it needs, and keep it running until Ctrl-C."""
    if sys.platform == "win32":
        typer.echo("The embedded services need Linux or macOS. On Windows use WSL or docker compose.", err=True)
        raise typer.Exit(1)
    if find_spec("psutil") is None or find_spec("aiosmtpd") is None:
        typer.echo("`up` needs packages that are not installed: pip install 'lifevault[embedded]'", err=True)
        raise typer.Exit(1)
    from app.cli.embedded.session import run_up  # noqa: PLC0415  keeps `--help` quick

    raise typer.Exit(run_up(data_folder(data), host, port, verbose=verbose))
