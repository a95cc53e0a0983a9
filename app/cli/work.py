"""Work that a command does on the configured database, or on that of a running `up`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from app.cli.options import data_folder

if TYPE_CHECKING:
    from app.core.config import Settings

T = TypeVar("T")


def run_work(work: Callable[[], Awaitable[T]], data: Path | None) -> T:
    """Do it on the configured database, or on that of a running `up`."""
    from app.db.runtime import close_runtime, open_runtime  # noqa: PLC0415

    settings = known_settings(data)

    async def opened() -> T:
        open_runtime(settings)
        try:
            return await work()
        finally:
            await close_runtime()

    return asyncio.run(opened())


def known_settings(data: Path | None) -> "Settings":
    """The settings of the environment, or those of a running `up`; ends the command if there are none."""
    from app.cli.embedded.errors import EmbeddedError  # noqa: PLC0415
    from app.cli.embedded.instance import settings_of_running  # noqa: PLC0415
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415

    try:
        settings = load_settings()
        return settings if settings.database_url.get_secret_value() else settings_of_running(data_folder(data))
    except SettingsError as error:
        stop_with("\n".join(error.problems))
    except EmbeddedError as error:
        stop_with(str(error))


def stop_with(message: str) -> NoReturn:
    """Say why, and end with 1."""
    typer.echo(message, err=True)
    raise typer.Exit(1)
