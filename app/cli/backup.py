"""`lifevault backup` and `lifevault restore`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import DataOption, data_folder
from app.cli.work import known_settings, stop_with

Passphrase = Annotated[
    str,
    typer.Option(
        envvar="LIFEVAULT_BACKUP_PASSPHRASE",
        prompt="Pass-phrase of the backup",
        hide_input=True,
        help="Seals the keys in the archive; 12 characters or more. Without it nothing in the backup can be opened.",
    ),
]


def backup(
    archive: Annotated[Path, typer.Argument(help="The file to write, e.g. lifevault.tar.")],
    passphrase: Passphrase,
    data: DataOption = None,
) -> None:
    """Write database, files and keys into one archive, while everything runs."""
    from app.cli.backups.archive import write_archive  # noqa: PLC0415  keeps `--help` quick
    from app.cli.backups.keys import LEAST_PASSPHRASE, NAMES, seal_keys  # noqa: PLC0415
    from app.cli.embedded.errors import EmbeddedError  # noqa: PLC0415
    from app.core.blobs import BlobStore  # noqa: PLC0415

    if len(passphrase) < LEAST_PASSPHRASE:
        stop_with(f"The pass-phrase must have {LEAST_PASSPHRASE} characters or more.")
    if archive.exists():
        stop_with(f"{archive} exists already.")
    settings = known_settings(data)
    keys = {name: getattr(settings, name).get_secret_value() for name in NAMES}
    sealed = seal_keys(keys, passphrase)
    try:
        work = write_archive(archive.resolve(), settings.migration_url, BlobStore(settings.blob_url), sealed)
        manifest = asyncio.run(work)
    except EmbeddedError as error:
        stop_with(_said(error))
    typer.echo(f"{archive}: {len(manifest['files'])} files, {archive.stat().st_size:,} bytes")


def restore(
    archive: Annotated[Path, typer.Argument(help="An archive of `lifevault backup`.", exists=True, dir_okay=False)],
    passphrase: Passphrase,
    data: DataOption = None,
    show_keys: Annotated[bool, typer.Option(help="Print the keys as settings, and restore nothing.")] = False,
) -> None:
    """Make a new data folder from a backup, or fill the empty servers of LIFEVAULT_DATABASE_URL and _BLOB_URL."""
    from app.cli.backups.archive import KEYS, ArchiveDamaged, opened  # noqa: PLC0415  keeps `--help` quick
    from app.cli.backups.keys import WrongPassphrase, open_keys  # noqa: PLC0415
    from app.cli.backups.restoring import restore_folder, restore_servers  # noqa: PLC0415
    from app.cli.embedded.errors import EmbeddedError  # noqa: PLC0415
    from app.core.config import SettingsError, load_settings  # noqa: PLC0415

    try:
        with opened(archive.resolve()) as (source, manifest):
            keys = open_keys((source / KEYS).read_bytes(), passphrase)
            if show_keys:
                typer.echo("".join(f"LIFEVAULT_{name.upper()}={value}\n" for name, value in keys.items()), nl=False)
                return
            settings = load_settings()
            if settings.database_url.get_secret_value():
                count, place = asyncio.run(restore_servers(source, keys, settings)), "the configured servers"
            else:
                folder = data_folder(data)
                count, place = restore_folder(source, keys, folder), str(folder)
    except WrongPassphrase:
        stop_with("The pass-phrase is wrong.")
    except SettingsError as error:
        stop_with("\n".join(error.problems))
    except (ArchiveDamaged, EmbeddedError) as error:
        stop_with(_said(error))
    typer.echo(f"The backup of {manifest['made_at']} is restored to {place}: the database and {count} files.")


def _said(error: Exception) -> str:
    """What went wrong, with what the program said of it."""
    return f"{error}\n{getattr(error, 'log', '')}".strip()
