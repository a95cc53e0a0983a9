"""Where a benchmark runs: servers of its own in a folder that goes with it, and logs that are made but not kept."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.embedded.postgres import PostgresUrls, embedded_postgres
from app.cli.embedded.valkey import embedded_valkey
from app.core.config import Settings, load_settings
from app.core.logging import configure_logging
from tests.conftest import random_key
from tests.prepared import migrate


@dataclass(frozen=True)
class Place:
    """A migrated PostgreSQL, a Valkey and a folder."""

    folder: Path
    postgres: PostgresUrls
    valkey: str

    def settings(self, **values: Any) -> Settings:
        """Settings with new keys and without rate limits; `values` change them."""
        return load_settings(**(self.values() | values))

    def values(self) -> dict[str, Any]:
        """The values of such settings."""
        return {
            "environment": "development",
            "database_url": self.postgres.app,
            "migration_database_url": self.postgres.owner,
            "redis_url": self.valkey,
            "root_keys": f"1:{random_key()}",
            "token_keys": f"k1:{random_key()}",
            "lookup_key": random_key(),
            "blob_url": (self.folder / "blobs").as_uri(),
            "data_dir": self.folder,
            "smtp_url": "smtp://127.0.0.1:1",
            "rate_limit_per_minute": 0,
            "anonymous_rate_limit_per_minute": 0,
        }


@contextlib.contextmanager
def own_place() -> Iterator[Place]:
    """Start the servers; what is logged within is thrown away."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        postgres = stack.enter_context(embedded_postgres(folder / "postgres", durable=False))
        valkey = stack.enter_context(embedded_valkey(folder / "valkey"))
        migrate(postgres.owner)
        nowhere = stack.enter_context(open(os.devnull, "wb"))
        stack.enter_context(contextlib.redirect_stderr(io.TextIOWrapper(nowhere)))
        configure_logging()
        yield Place(folder, postgres, valkey)
