"""`lifevault audit`: the log verified."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.options import DataOption
from app.cli.work import run_work

if TYPE_CHECKING:
    from app.audit.service import Broken

BROKEN = 2

audit_app = typer.Typer(name="audit", help="The log of who did what.", no_args_is_help=True)


@audit_app.callback()
def _audit() -> None:
    """The log of who did what."""


@audit_app.command()
def verify(
    chain_id: Annotated[UUID | None, typer.Argument(help="A vault or an account; all if left out.")] = None,
    data: DataOption = None,
) -> None:
    """Walk every log from its first entry to its end, past the signed checkpoints; ends with 2 if one is broken."""
    count, broken = run_work(lambda: _verify(chain_id), data)
    for each in broken:
        typer.echo(f"{each.chain_id} is broken at entry {each.sequence}: {each.reason}.")
    typer.echo(f"{count} logs verified, {len(broken)} broken.")
    if broken:
        raise typer.Exit(BROKEN)


@audit_app.command()
def checkpoint(data: DataOption = None) -> None:
    """Sign the end of every log anew, for instance after a backup was put back. Logs that are broken are left alone."""
    count = run_work(_checkpoint, data)
    typer.echo(f"{count} logs signed.")


async def _verify(chain_id: UUID | None) -> tuple[int, "list[Broken]"]:
    from app.audit import service  # noqa: PLC0415  keeps `--help` quick

    chain_ids = [chain_id] if chain_id else await service.known_chain_ids()
    results = [await service.verify(each) for each in chain_ids]
    return len(chain_ids), [broken for broken in results if broken]


async def _checkpoint() -> int:
    from app.audit import service  # noqa: PLC0415

    return await service.checkpoint_all(anew=True)
