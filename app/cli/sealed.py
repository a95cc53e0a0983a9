"""`lifevault sealed`: one's own sealed vaults out of an export, on any machine and without a server."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.work import stop_with

sealed_app = typer.Typer(name="sealed", help="Open sealed vaults out of an export.", no_args_is_help=True)


@sealed_app.callback()
def _sealed() -> None:
    """Open sealed vaults out of an export."""


@sealed_app.command(name="open")
def open_sealed(
    export: Annotated[Path, typer.Argument(help="The folder into which an export was unpacked.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder for what is in them.")] = Path("opened"),
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, envvar="LIFEVAULT_SEALED_PASSWORD", help="Of your account.")
    ] = "",
) -> None:
    """Write the items and files of your sealed vaults, readable by whoever finds them, into a folder."""
    from app.sealed.errors import Missing, SealedError, WrongPassword  # noqa: PLC0415  keeps `--help` quick
    from app.sealed.exported import open_folder  # noqa: PLC0415

    try:
        vaults = open_folder(export, password, to)
    except WrongPassword:
        stop_with("This is not the password of the sealed account.")
    except Missing:
        stop_with("The folder holds no sealed account, or a part of it is missing.")
    except SealedError as error:
        stop_with(f"A sealed vault can't be opened: {type(error).__name__}.")
    except FileExistsError:
        stop_with("There is something at that place already; nothing was written.")
    except OSError as error:
        stop_with(f"A file can't be read or written: {type(error).__name__}.")
    typer.echo(f"{vaults} sealed vaults are in {to}")
