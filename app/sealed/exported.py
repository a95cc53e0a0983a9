"""Sealed vaults opened out of an export, without a server: the password opens the account, the account its vaults."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from app.sealed.client import SealedClient
from app.sealed.errors import Conflict, Missing, SealedError, Tampered
from app.sealed.files import FileRef
from app.sealed.vault import SealedVault

FOLDER = "sealed"


class FolderTransport:
    """Blobs in a folder, each in a file of its name; there is nobody to sign in to, and nothing is written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

    def authenticate(self, account: UUID, key: bytes) -> None:
        """Nobody asks; a wrong password opens no wrap."""

    def get(self, name: str) -> bytes:
        """One blob. Raises `Missing`."""
        if name not in self._names:
            raise Missing
        return (self._root / name).read_bytes()

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so."""
        return [name for name in self._names if name.startswith(prefix)]

    def put(
        self,
        changes: Mapping[str, bytes | None],  # noqa: ARG002
        expected: Mapping[str, bytes | None],  # noqa: ARG002  whatever it is
    ) -> None:
        """Refused. Raises `Conflict`."""
        raise Conflict


def open_folder(folder: Path, password: str, target: Path) -> int:
    """Write what the sealed vaults of an unpacked export say into a new folder; returns how many vaults there are.

    A vault that the account's clients never joined is left out. Raises `FileExistsError`, `WrongPassword`, `Missing`,
    `Tampered`, …
    """
    root = folder / FOLDER
    transport = FolderTransport(root)
    client = SealedClient.unlock(transport, _only_account(root), password)
    target.mkdir(mode=0o700)
    vaults = sorted({_id(name.split("/")[1]) for name in transport.names("vaults/")} & client.pins.vaults.keys())
    for vault in vaults:
        write_vault(client.open_vault(vault), target / f"sealed vault {vault}")
    return len(vaults)


def write_vault(vault: SealedVault, target: Path) -> None:
    """Put the items of an opened vault, and the files that they refer to, into a new folder. Raises `SealedError`."""
    target.mkdir()
    items = json.dumps(list(_items(vault)), indent=2, ensure_ascii=False)
    (target / "items.json").write_text(items, encoding="utf-8")
    for number, ref in enumerate(_files(vault)):
        with (target / f"file {number} {ref.file}").open("xb") as file:
            for chunk in vault.open_file(ref):
                file.write(chunk)


def _only_account(root: Path) -> UUID:
    found = [path.name for path in (root / "accounts").iterdir()] if (root / "accounts").is_dir() else []
    if len(found) != 1:
        raise Missing
    return _id(found[0])


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Tampered from None


def _items(vault: SealedVault) -> Iterator[dict[str, object]]:
    for item in vault.items.ids():
        if not vault.items.is_deleted(item):
            yield {"id": str(item), "fields": vault.items.open(item)}


def _files(vault: SealedVault) -> Iterator[FileRef]:
    """The files that fields refer to."""
    for item in vault.items.ids():
        if not vault.items.is_deleted(item):
            for value in vault.items.open(item).values():
                try:
                    yield FileRef.from_text(value)
                except SealedError:
                    continue
