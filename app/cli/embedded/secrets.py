"""The keys and passwords of a data folder: made once at the first start, kept in one private file."""

import base64
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.files import read_json, write_json
from app.cli.embedded.postgres import PostgresPasswords

KEY_BYTES = 32


@dataclass(frozen=True)
class Secrets:
    """Keys as the settings of the same name want them, and the passwords of the embedded servers."""

    root_keys: str
    token_keys: str
    lookup_key: str
    valkey_password: str
    postgres: PostgresPasswords
    sim_key: str
    sim_webhook_secret: str

    @classmethod
    def generate(cls) -> "Secrets":
        """New keys of 256 bits each."""
        return cls(
            root_keys=f"1:{_new_key()}",
            token_keys=f"k1:{_new_key()}",
            lookup_key=_new_key(),
            valkey_password=secrets.token_urlsafe(32),
            postgres=PostgresPasswords.generate(),
            **_simulator_secrets(),
        )


def load_or_create_secrets(folder: Path) -> Secrets:
    """The secrets of a data folder.

    Raises `EmbeddedError` rather than make new keys for data that older ones have sealed.
    """
    path = folder / "secrets.json"
    if not path.exists():
        if any((folder / name).exists() for name in ("postgres", "blobs")):
            raise EmbeddedError(f"{path} is missing, and without its keys the data in {folder} can't be opened.")
        store_secrets(folder, Secrets.generate())
    try:
        content = read_json(path)
        value = Secrets(**_simulator_secrets() | content | {"postgres": PostgresPasswords(**content["postgres"])})
        if "sim_key" not in content:  # a folder from before there was a simulator
            store_secrets(folder, value)
        return value
    except (KeyError, TypeError, OSError) as error:
        raise EmbeddedError(f"{path} can't be read. Restore it from a backup.") from error


def store_secrets(folder: Path, value: Secrets) -> None:
    """Replace the secrets of a data folder, as key rotation does."""
    write_json(folder / "secrets.json", asdict(value))


def add_root_key(folder: Path) -> int:
    """Add a root key of the next version to a data folder; returns the version. Raises `EmbeddedError`."""
    if not (folder / "secrets.json").exists():
        raise EmbeddedError(f"{folder} is not a data folder of LifeVault.")
    value = load_or_create_secrets(folder)
    version = 1 + max(int(key.partition(":")[0]) for key in value.root_keys.split(","))
    store_secrets(folder, replace(value, root_keys=f"{value.root_keys},{version}:{_new_key()}"))
    return version


def _simulator_secrets() -> dict[str, str]:
    return {
        "sim_key": f"sk_test_{secrets.token_hex(24)}",
        "sim_webhook_secret": f"whsec_{secrets.token_hex(24)}",
    }


def _new_key() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()
