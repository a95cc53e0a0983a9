"""`lifevault config check`."""

import typer

config_app = typer.Typer(name="config", help="The settings.", no_args_is_help=True)


@config_app.callback()
def _config() -> None:
    """The settings."""


@config_app.command()
def check() -> None:
    """Print what is set in the environment and in .env, secrets masked, and everything that is wrong with it."""
    from app.cli.embedded.terminal import Terminal  # noqa: PLC0415  keeps `--help` quick
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415

    terminal = Terminal()
    try:
        settings = load_settings()
    except SettingsError as error:
        terminal.show_problems(error.problems)
        raise typer.Exit(1) from None
    terminal.show_settings(settings)
