"""The archive: a tar of `database.dump`, `keys.json`, `blobs/…` and, last, `manifest.json` with a SHA-256 of each.

Blobs are copied before and after the dump: one that the dump knows was there before it, or came until it was taken.
"""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from app.cli.backups.database import dump_database
from app.core.blobs import BlobMissing, BlobStore
from app.core.clock import utc_now

FORMAT: Final = 1
DUMP, KEYS, MANIFEST, BLOBS = "database.dump", "keys.json", "manifest.json", "blobs/"
PIECE: Final = 1024 * 1024


class ArchiveDamaged(Exception):
    """The archive is not whole, or not one of ours."""


@dataclass
class Writer:
    """An archive that is being written."""

    tar: tarfile.TarFile
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, path: Path) -> None:
        """Add a file under a name."""
        with path.open("rb") as file:
            self.digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        self.tar.add(path, name, recursive=False, filter=_plain)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add something small under a name."""
        self.digests[name] = hashlib.sha256(content).hexdigest()
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o600
        self.tar.addfile(entry, io.BytesIO(content))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid, entry.gid, entry.uname, entry.gname, entry.mode = 0, 0, "", "", 0o600
    return entry


async def write_archive(target: Path, database_url: str, blobs: BlobStore, keys: bytes) -> dict[str, Any]:
    """Write the whole archive; it appears whole or not at all. Returns the manifest. Raises `ServiceFailed`."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder, tarfile.open(partial, "x") as tar:
            partial.chmod(0o600)
            writer, place = Writer(tar), Path(folder)
            writer.add_bytes(KEYS, keys)
            await _copy_blobs(writer, blobs, place)
            dump_database(database_url, place / DUMP)
            writer.add(DUMP, place / DUMP)
            await _copy_blobs(writer, blobs, place)
            manifest = {"format": FORMAT, "made_at": utc_now().isoformat(), "files": writer.digests}
            content = orjson.dumps(manifest)
            writer.add_bytes(MANIFEST, content)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return manifest


async def _copy_blobs(writer: Writer, blobs: BlobStore, folder: Path) -> None:
    names = [name async for name, _ in blobs.names()]
    for name in names:
        if BLOBS + name in writer.digests:
            continue
        copy = folder / "blob"
        try:
            with copy.open("wb") as file:
                async for piece in pieces_of(blobs, name):
                    file.write(piece)
        except BlobMissing:
            continue  # purged since it was listed
        writer.add(BLOBS + name, copy)


async def pieces_of(blobs: BlobStore, name: str) -> AsyncIterator[bytes]:
    """A blob piece by piece. Raises `BlobMissing`."""
    size = await blobs.size(name)
    for start in range(0, size, PIECE):
        yield await blobs.get(name, start, min(start + PIECE, size))


@contextmanager
def opened(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The contents of an archive in a private folder, each file as the manifest has it. Raises `ArchiveDamaged`."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        place = Path(folder)
        try:
            with tarfile.open(path) as tar:
                tar.extractall(place, filter="data")
            manifest: dict[str, Any] = orjson.loads((place / MANIFEST).read_bytes())
            if manifest["format"] != FORMAT:
                raise ArchiveDamaged("It was written by another version of LifeVault.")
            wrong = [name for name, digest in manifest["files"].items() if not _is_whole(place / name, digest)]
        except (tarfile.TarError, OSError, KeyError, TypeError, ValueError) as error:
            raise ArchiveDamaged("It is not a backup of LifeVault, or it is not whole.") from error
        if wrong:
            raise ArchiveDamaged(f"{len(wrong)} of its files are not as they were written.")
        yield place, manifest


def _is_whole(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def blob_paths(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each blob of an opened archive by its name."""
    place = folder / BLOBS
    for path in sorted(place.rglob("*")) if place.exists() else ():
        if path.is_file():
            yield str(path.relative_to(place)), path
