"""What searching needs in each process: the embedder of the settings, and the shards opened lately."""

import tempfile
import threading
import time
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from app.core.config import Settings
from app.rag.embedder import Embedder, HttpEmbedder, MiniLMEmbedder
from app.rag.shard import Shard

PIPELINE = "1"
REMEMBER_SECONDS = 900


def embedder_of(settings: Settings) -> Embedder | None:
    """The embedder of these settings, one for each process; None when searching goes by words alone."""
    if settings.embedder == "builtin":
        folder = settings.data_dir / "models" if settings.data_dir else Path(tempfile.gettempdir(), "lifevault-models")
        return _builtin(folder, settings.embedder_threads)
    if settings.embedder == "http":
        key = settings.embedder_api_key.get_secret_value()
        return _http(settings.embedder_url, key, settings.embedder_model, settings.embedder_dimensions)
    return None


@lru_cache(maxsize=1)
def _builtin(folder: Path, threads: int) -> Embedder:
    return MiniLMEmbedder(folder, threads)


@lru_cache(maxsize=1)
def _http(url: str, key: str, model: str, dimensions: int) -> Embedder:
    return HttpEmbedder(url, key, model, dimensions)


class ShardCache:
    """Opened shards by revision, the least used forgotten first; whoever asks must have decided about access."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._shards: OrderedDict[UUID, tuple[float, Shard]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, revision: UUID) -> Shard | None:
        """An opened shard, or None."""
        with self._lock:
            entry = self._shards.get(revision)
            if entry is None or entry[0] < time.monotonic():
                return None
            self._shards.move_to_end(revision)
            return entry[1]

    def put(self, revision: UUID, shard: Shard) -> None:
        """Keep a shard for a while; one larger than the whole cache is not kept."""
        with self._lock:
            self._drop(revision)
            if shard.nbytes > self._most_bytes:
                return
            self._shards[revision] = (time.monotonic() + REMEMBER_SECONDS, shard)
            self._bytes += shard.nbytes
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._shards)))

    def _drop(self, revision: UUID) -> None:
        entry = self._shards.pop(revision, None)
        if entry:
            self._bytes -= entry[1].nbytes


@lru_cache(maxsize=1)
def shard_cache(most_bytes: int) -> ShardCache:
    """The cache of this process."""
    return ShardCache(most_bytes)
