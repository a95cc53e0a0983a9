"""`lifevault legacy`: what heirs do with sheets, on any machine and without a server."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.work import stop_with

legacy_app = typer.Typer(
    name="legacy", help="Open an export with printed sheets, without a server.", no_args_is_help=True
)


@legacy_app.callback()
def _legacy() -> None:
    """Open an export with printed sheets, without a server."""


@legacy_app.command(name="open")
def open_export(
    export: Annotated[Path, typer.Argument(help="The export, a file that ends in .age.")],
    sheets: Annotated[list[Path], typer.Argument(help="Text files with the words of one sheet each.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder for what is in it.")] = Path("opened"),
    words: Annotated[str, typer.Option(help="The owner's words on the sheets, for sealed vaults.")] = "",
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the key for the program `age` instead of opening.")
    ] = None,
) -> None:
    """Open an export with sheets of two groups: the owner's and the nominees', or one of them and the server's part."""
    from app.nominees.age import NotOpened  # noqa: PLC0415  keeps `--help` quick
    from app.nominees.archive import NotAnExport  # noqa: PLC0415
    from app.nominees.opening import explain, read_sheet  # noqa: PLC0415
    from app.nominees.shamir import ShareError  # noqa: PLC0415
    from app.sealed.errors import SealedError  # noqa: PLC0415

    try:
        _open(export, [read_sheet(sheet) for sheet in sheets], to, words, identity)
    except ShareError as error:
        stop_with(explain(error))
    except NotOpened:
        stop_with("These sheets don't open this file, or it was altered.")
    except NotAnExport:
        stop_with("What is in the file is no export of LifeVault.")
    except SealedError as error:
        stop_with(f"A sealed vault can't be opened: {type(error).__name__}. Are the owner's words right?")
    except FileExistsError:
        stop_with("There is something at that place already; nothing was written.")
    except (OSError, UnicodeDecodeError) as error:
        stop_with(f"A file can't be read or written: {type(error).__name__}.")


def _open(export: Path, sheets: list[str], to: Path, words: str, identity: Path | None) -> None:
    from app.nominees.archive import identity_of, open_export  # noqa: PLC0415
    from app.nominees.opening import write_secret  # noqa: PLC0415

    with export.open("rb") as file:
        if identity:
            write_secret(identity, identity_of(file, sheets).encode() + b"\n")
            typer.echo(f"The key is in {identity}: age -d -i {identity} {export} > export.zip")
        else:
            count = open_export(file, sheets, to, words)
            typer.echo(f"{count} files are in {to}.")
