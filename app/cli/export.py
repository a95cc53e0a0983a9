"""`lifevault export …` and `lifevault schema …`: for other tools, and whether they still agree with us."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

export_app = typer.Typer(name="export", help="What other tools read of LifeVault.", no_args_is_help=True)
schema_app = typer.Typer(name="schema", help="Whether other descriptions agree with us.", no_args_is_help=True)
Output = Annotated[Path | None, typer.Option("--output", "-o", help="A file; the terminal if left out.")]


class Target(StrEnum):
    """Who is to read the document."""

    OPENAPI = "openapi"
    RAPIDAPI = "rapidapi"
    PYTHON = "python"
    CONTRACT = "contract"


@export_app.callback()
def _export() -> None:
    """What other tools read of LifeVault."""


@schema_app.callback()
def _schema() -> None:
    """Whether other descriptions agree with us."""


@export_app.command()
def openapi(
    target: Annotated[Target, typer.Option(help="The reader.")] = Target.OPENAPI, output: Output = None
) -> None:
    """Write the OpenAPI document.

    `openapi`: 3.1, the whole API. `rapidapi`: 3.0.3 with examples, what its consumers may do. `python`: for
    openapi-python-client. `contract`: without words and examples, what `lifevault schema breaking` compares.
    """
    import orjson  # noqa: PLC0415  keeps `--help` quick

    from app.cli.exporting.contract import contract, streams_as_text  # noqa: PLC0415
    from app.cli.exporting.rapidapi import rapidapi  # noqa: PLC0415
    from app.main import app  # noqa: PLC0415

    document = app.openapi()
    if target is Target.RAPIDAPI:
        description = str(document["info"].get("description", ""))
        document = rapidapi(document, app.state.settings.public_url, description)
    elif target is Target.PYTHON:
        document = streams_as_text(document)
    elif target is Target.CONTRACT:
        _write(contract(document), output)
        return
    _write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode(), output)


@export_app.command()
def prisma(output: Output = None) -> None:
    """Write the tables as a Prisma schema."""
    from app.cli.exporting.prisma import prisma_schema  # noqa: PLC0415  keeps `--help` quick
    from app.models import Base  # noqa: PLC0415

    _write(prisma_schema(Base.metadata), output)


@export_app.command()
def env(output: Output = None) -> None:
    """Write .env.example: every setting, what it means, its default."""
    from app.cli.exporting.environment import env_example  # noqa: PLC0415  keeps `--help` quick

    _write(env_example(), output)


@schema_app.command()
def check(schema: Annotated[Path, typer.Argument(help="A schema.prisma.", exists=True, dir_okay=False)]) -> None:
    """Say how a schema.prisma differs from our tables; exit code 1 if it does."""
    from app.cli.exporting.drift import drift  # noqa: PLC0415  keeps `--help` quick
    from app.models import Base  # noqa: PLC0415

    lines = drift(Base.metadata, schema.read_text())
    for line in lines:
        typer.echo(line)
    typer.echo(f"{len(lines)} differences" if lines else "The schema agrees with the tables.")
    raise typer.Exit(1 if lines else 0)


@schema_app.command()
def breaking(
    old: Annotated[Path, typer.Argument(help="The released OpenAPI document.", exists=True, dir_okay=False)],
    new: Annotated[Path | None, typer.Argument(help="The next one; ours if left out.", exists=True)] = None,
) -> None:
    """List what would break clients of a released OpenAPI document; exit code 1 if anything would."""
    import orjson  # noqa: PLC0415  keeps `--help` quick

    from app.cli.exporting.breaking import changes  # noqa: PLC0415
    from app.main import app  # noqa: PLC0415

    document = app.openapi() if new is None else orjson.loads(new.read_bytes())
    lines = changes(orjson.loads(old.read_bytes()), document)
    for line in lines:
        typer.echo(line)
    typer.echo(f"{len(lines)} breaking changes" if lines else "Nothing breaks.")
    raise typer.Exit(1 if lines else 0)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text)
