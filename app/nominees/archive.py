"""An export opened without a server: sheets of two groups give the key, the key opens the file, the file is unpacked.

    lifevault legacy open EXPORT --to FOLDER SHEET [SHEET ...]

What was in assisted vaults is there as it was. Blobs of sealed vaults, under `sealed/`, are opened by the same key for
whoever types the owner's words that stand on the sheets.
"""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final
from uuid import UUID

from app.nominees import age
from app.nominees.shamir import combine
from app.sealed.errors import NotAllowed, Tampered
from app.sealed.exported import write_vault
from app.sealed.identity import Identity
from app.sealed.legacy import legacy_keys, open_as_nominee
from app.sealed.transport import MemoryTransport

SEALED: Final = "sealed"
PACKED: Final = "export.zip"
COPY_BYTES: Final = 1024 * 1024


class NotAnExport(Exception):
    """A file that unpacks to something else than an export of ours."""


def private_key(set_id: UUID, sheets: Iterable[str]) -> bytes:
    """The X25519 private key that exports of a set are made for. Raises what `combine` raises."""
    return Identity.from_secret(set_id, combine(sheets)).exchange.private_bytes_raw()


def identity_of(export: BinaryIO, sheets: Iterable[str]) -> str:
    """The same as `age -i` reads it. Raises `NotOpened` and what `combine` raises."""
    return age.identity_text(private_key(age.read_header(export).set_id, sheets))


def open_export(export: BinaryIO, sheets: Sequence[str], folder: Path, owner_words: str = "") -> int:
    """Unpack an export into a new folder; returns how many files there are.

    Raises `NotOpened`, `NotAnExport`, `FileExistsError`, `SealedError`, and what `combine` raises.
    """
    header = age.read_header(export)
    set_id = header.set_id
    secret = combine(sheets)
    key = Identity.from_secret(set_id, secret).exchange.private_bytes_raw()
    folder.mkdir(mode=0o700)
    packed = folder / PACKED
    with packed.open("xb") as file:
        for chunk in age.unseal(key, header, export):
            file.write(chunk)
    _unpack(packed, folder)
    packed.unlink()
    if owner_words:
        _open_sealed(folder, set_id, secret, owner_words)
    return sum(path.is_file() for path in folder.rglob("*"))


def _unpack(packed: Path, folder: Path) -> None:
    """Every member below the folder and nowhere else. Raises `NotAnExport`."""
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                target = folder / _inside(member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("xb") as file:
                    while piece := source.read(COPY_BYTES):
                        file.write(piece)
    except (zipfile.BadZipFile, OSError) as error:
        raise NotAnExport from error


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or name.endswith("/"):
        raise NotAnExport
    return path


def _open_sealed(folder: Path, set_id: UUID, secret: bytes, owner_words: str) -> None:
    """Put what the blobs of sealed vaults say beside them, one folder for each vault that lets these keys read.

    Raises `SealedError`.
    """
    root = folder / SEALED
    blobs = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    vaults = {name.split("/")[1] for name in blobs if name.startswith("vaults/")}
    for vault in sorted(vaults):
        try:
            opened = open_as_nominee(MemoryTransport(blobs), legacy_keys(set_id, secret), _vault_id(vault), owner_words)
        except NotAllowed:
            continue  # it does not let these keys read
        write_vault(opened, folder / f"sealed vault {vault}")


def _vault_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Tampered from None
