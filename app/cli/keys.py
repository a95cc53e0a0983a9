"""`lifevault keys`: exchanging root keys and data keys."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import typer

keys_app = typer.Typer(name="keys", help="Exchange the keys that protect what people store.", no_args_is_help=True)


@keys_app.callback()
def _keys() -> None:
    """Exchange the keys that protect what people store."""


@keys_app.command()
def rotate_root() -> None:
    """Wrap every data key with the newest of LIFEVAULT_ROOT_KEYS; afterwards the older ones can be taken out.

    Add the new root key under a higher version first, and restart all processes with both. No data is touched.
    """
    typer.echo(f"{_run(_rewrap_all)} data keys wrapped by the newest root key.")


@keys_app.command()
def rotate_vault(vault_id: Annotated[UUID, typer.Argument(help="The vault.")]) -> None:
    """Give a vault a new data key; the worker then encrypts everything in it anew and destroys the old key."""
    from app.vault.errors import VaultNotFound  # noqa: PLC0415  keeps `--help` quick

    try:
        job_id = _run(lambda: _queue_rotation(vault_id))
    except VaultNotFound:
        typer.echo("There is no such vault.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"The worker does it now, as job {job_id}.")


async def _rewrap_all() -> int:
    from app.db.runtime import current  # noqa: PLC0415
    from app.db.session import session_scope  # noqa: PLC0415

    count = 0
    while True:
        async with session_scope() as session:
            done = await current().keys.rewrap(session)
        if not done:
            return count
        count += done


async def _queue_rotation(vault_id: UUID) -> UUID:
    from app.db.session import session_scope  # noqa: PLC0415
    from app.vault.service import rotate_vault_key  # noqa: PLC0415

    async with session_scope() as session:
        return await rotate_vault_key(session, vault_id)


def _run[T](work: Callable[[], Awaitable[T]]) -> T: ...
