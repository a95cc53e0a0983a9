"""`lifevault payments`: the books and the provider."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import DataOption
from app.cli.work import run_work, stop_with

if TYPE_CHECKING:
    from app.payments.services.reconciliation import Report

DIFFERENT = 2

payments_app = typer.Typer(name="payments", help="The books and the payment provider.", no_args_is_help=True)


@payments_app.callback()
def _payments() -> None:
    """The books and the payment provider."""


@payments_app.command()
def reconcile(
    deep: Annotated[bool, typer.Option(help="Compare everything, not only what is new.")] = True,
    data: DataOption = None,
) -> None:
    """Compare our books with the provider's, heal what can be healed; ends with 2 if a difference is left."""
    from app.core.errors import AppError  # noqa: PLC0415  keeps `--help` quick
    from app.payments.providers.port import ProviderError  # noqa: PLC0415

    try:
        report = run_work(lambda: _reconcile(deep=deep), data)
    except AppError as error:
        stop_with(f"{error.title}.")
    except ProviderError as error:
        stop_with(f"The payment provider can't be asked: {error.code}.")
    typer.echo(
        f"{report.compared} objects compared, {report.events_added} events added, {report.healed} healed, "
        f"{len(report.differences)} differences left."
    )
    for found in report.differences:
        typer.echo(f"  {found.kind} {found.reference}: {found.field} is {found.ours} here, {found.theirs} there")
    if report.differences:
        raise typer.Exit(DIFFERENT)


async def _reconcile(*, deep: bool) -> "Report":
    from app.payments.providers.registry import needed_provider  # noqa: PLC0415
    from app.payments.services.reconciliation import reconcile as compare  # noqa: PLC0415

    return await compare(needed_provider(), "deep" if deep else "light")
