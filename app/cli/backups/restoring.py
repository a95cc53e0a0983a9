"""An installation made of an archive: a new data folder, or servers of one's own that are empty."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.cli.backups.archive import DUMP, PIECE, blob_paths
from app.cli.backups.database import is_empty, load_database
from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.files import private_folder
from app.cli.embedded.ports import free_port
from app.cli.embedded.postgres import PostgresServer, running
from app.cli.embedded.secrets import Secrets, store_secrets
from app.core.blobs import BlobStore
from app.core.config import Settings

HOLDS: Final = ("secrets.json", "postgres", "blobs")


def restore_folder(source: Path, keys: dict[str, str], folder: Path) -> int:
    """Make a data folder that `lifevault up` starts from; it appears whole or not at all. Returns how many blobs.

    Raises `EmbeddedError` if there is one already, `ServiceFailed`.
    """
    if any((folder / name).exists() for name in HOLDS):
        raise EmbeddedError(f"{folder} holds an installation already; name an empty folder with --data.")
    draft = folder.with_name(folder.name + ".restoring")
    shutil.rmtree(draft, ignore_errors=True)
    private_folder(draft)
    secrets = replace(
        Secrets.generate(),
        root_keys=keys["root_keys"],
        token_keys=keys["token_keys"],
        lookup_key=keys["lookup_key"],
    )
    store_secrets(draft, secrets)
    server = PostgresServer(draft / "postgres", secrets.postgres, free_port(None))
    with running(server, draft / "restore.log"):
        load_database(server.urls.owner, source / DUMP)
    (draft / "restore.log").unlink(missing_ok=True)
    count = asyncio.run(put_blobs(source, BlobStore((draft / "blobs").as_uri())))
    if folder.exists():
        folder.rmdir()  # it is empty, or this fails and nothing is lost
    draft.rename(folder)
    return count


async def restore_servers(source: Path, keys: dict[str, str], settings: Settings) -> int:
    """Fill the configured database and blob store. Returns how many blobs. Raises `EmbeddedError`, `ServiceFailed`."""
    ours = {name: getattr(settings, name).get_secret_value() for name in keys}
    if not set(keys["root_keys"].split(",")) <= set(ours["root_keys"].split(",")):
        raise EmbeddedError("LIFEVAULT_ROOT_KEYS lacks the root keys of the backup; `--show-keys` prints them.")
    if keys["lookup_key"] != ours["lookup_key"]:
        raise EmbeddedError("LIFEVAULT_LOOKUP_KEY is not that of the backup; `--show-keys` prints it.")
    if not is_empty(settings.migration_url):
        raise EmbeddedError("The database is not empty.")
    load_database(settings.migration_url, source / DUMP)
    return await put_blobs(source, BlobStore(settings.blob_url))


async def put_blobs(source: Path, blobs: BlobStore) -> int:
    """Put every blob of an opened archive into a store; returns how many."""
    count = 0
    for name, path in blob_paths(source):
        await blobs.put(name, _pieces(path))
        count += 1
    return count


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
