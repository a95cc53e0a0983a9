"""`lifevault keys`: root keys and data keys exchanged."""

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from app.cli.options import DataOption, data_folder
from app.cli.work import run_work, stop_with

if TYPE_CHECKING:
    pass

T = TypeVar("T")
SETTLE_SECONDS = 15

keys_app = typer.Typer(name="keys", help="Exchange the keys that protect what people store.", no_args_is_help=True)


@keys_app.callback()
def _keys() -> None:
    """Exchange the keys that protect what people store."""


@keys_app.command()
def new_root(data: DataOption = None) -> None:
    """Add a root key to the data folder of `lifevault up`; it is used from the next start on, then `rotate-root`."""
    from app.cli.embedded.errors import EmbeddedError  # noqa: PLC0415
    from app.cli.embedded.secrets import add_root_key  # noqa: PLC0415

    try:
        version = add_root_key(data_folder(data))
    except EmbeddedError as error:
        stop_with(str(error))
    typer.echo(f"Root key {version} was added. Restart LifeVault, then run `lifevault keys rotate-root`.")


@keys_app.command()
def rotate_root(data: DataOption = None) -> None:
    """Wrap every data key by the newest of LIFEVAULT_ROOT_KEYS; the older ones can be taken out afterwards.

    First add the new root key under a higher version and restart every process with both. No data is touched.
    """
    count = run_work(_rewrap_all, data)
    typer.echo(f"{count} data keys are wrapped anew; all of them stand under the newest root key.")


@keys_app.command()
def rotate_vault(vault_id: Annotated[UUID, typer.Argument(help="The vault.")], data: DataOption = None) -> None:
    """Give a vault a new data key: the worker encrypts everything in it anew, then destroys the old key."""
    from app.vault.errors import VaultNotFound  # noqa: PLC0415  keeps `--help` quick

    try:
        job_id = run_work(lambda: _queue_rotation(vault_id), data)
    except VaultNotFound:
        stop_with("There is no such vault.")
    typer.echo(f"The worker does it as job {job_id}.")


@keys_app.command()
def rotate_user(user_id: Annotated[UUID, typer.Argument(help="The account.")], data: DataOption = None) -> None:
    """Give an account a new data key and seal its profile and sessions anew; the old key is destroyed."""
    from app.db.keys import REMEMBER_SECONDS, KeysDestroyed  # noqa: PLC0415  keeps `--help` quick

    typer.echo(f"This takes {SETTLE_SECONDS + REMEMBER_SECONDS} s: other processes remember the old key for a while.")
    try:
        count = run_work(lambda: _rotate_user(user_id, REMEMBER_SECONDS + SETTLE_SECONDS), data)
    except KeysDestroyed:
        stop_with("There is no such account.")
    typer.echo(f"{count} cells are sealed anew, and the old key is destroyed.")


async def _rotate_user(user_id: UUID, settle_seconds: float) -> int:
    """Two passes: the second finds what a process that did not know the new key sealed in between."""
    from app.db.reseal import reseal_owner  # noqa: PLC0415
    from app.db.runtime import current  # noqa: PLC0415
    from app.db.session import session_scope  # noqa: PLC0415

    async with session_scope() as session:
        await current().keys.rotate(session, user_id)
        count = await reseal_owner(session, user_id)
    await asyncio.sleep(settle_seconds)
    async with session_scope() as session:
        count += await reseal_owner(session, user_id)
        await current().keys.destroy_retired(session, user_id)
    return count


async def _rewrap_all() -> int:
    from app.audit.service import checkpoint_all  # noqa: PLC0415
    from app.db.runtime import current  # noqa: PLC0415
    from app.db.session import session_scope  # noqa: PLC0415

    count = 0
    while True:
        async with session_scope() as session:
            rewrapped = await current().keys.rewrap(session)
        if not rewrapped:
            await checkpoint_all()  # the log, too, must hold without the older keys
            return count
        count += rewrapped


async def _queue_rotation(vault_id: UUID) -> UUID:
    from app.db.session import session_scope  # noqa: PLC0415
    from app.vault.service import rotate_vault_key  # noqa: PLC0415

    async with session_scope() as session:
        return await rotate_vault_key(session, vault_id)
