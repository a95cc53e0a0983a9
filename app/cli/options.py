"""Options that several commands share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from dotenv import dotenv_values

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="LIFEVAULT_DATA_DIR", help="Folder of databases, files and keys."),
]


def data_folder(chosen: Path | None) -> Path:
    """The folder chosen by option, environment or `.env`, else the place for a person's data on this system."""
    chosen = chosen or Path(dotenv_values(".env").get("LIFEVAULT_DATA_DIR") or "")
    if chosen.name:
        return chosen.expanduser().resolve()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "lifevault"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share") / "lifevault"
