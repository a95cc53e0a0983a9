"""`lifevault status` and `lifevault stop`."""

import typer

from app.cli.options import DataOption, data_folder


def status(data: DataOption = None) -> None:
    """Say whether LifeVault runs, where, and with which processes; exits with 1 when it doesn't."""
    from app.cli.embedded.running import running_instance  # noqa: PLC0415  keeps `--help` quick
    from app.cli.embedded.terminal import Terminal  # noqa: PLC0415

    folder = data_folder(data)
    instance = running_instance(folder)
    Terminal().show_status(folder, instance)
    raise typer.Exit(0 if instance else 1)


def stop(data: DataOption = None) -> None:
    """Stop a running LifeVault cleanly and wait until it has ended."""
    from app.cli.embedded.errors import EmbeddedError  # noqa: PLC0415  keeps `--help` quick
    from app.cli.embedded.running import stop_instance  # noqa: PLC0415

    folder = data_folder(data)
    try:
        stopped = stop_instance(folder)
    except EmbeddedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"LifeVault in {folder} was stopped." if stopped else f"LifeVault is not running in {folder}.")
