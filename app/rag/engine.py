"""What searching needs in each process: the embedder of the settings, and the shards opened lately."""

import tempfile
import threading
import time
from collections import OrderedDict
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import structlog

from app.core.config import Settings
from app.rag.breaker import Breaker
from app.rag.embedder import Embedder, HttpEmbedder, MiniLMEmbedder
from app.rag.minilm import WeightsMissing, weights_folder
from app.rag.shard import Shard

PIPELINE = "2"
PASSAGES_SECONDS = 30.0
QUESTION_SECONDS = 5.0
IDLE_SECONDS = 900.0
SHARD_OVERHEAD_BYTES = 8 * 1024

log = structlog.get_logger()
embedder_breaker = Breaker()


def embedder_of(settings: Settings, *, seconds: float = PASSAGES_SECONDS) -> Embedder | None:
    """The embedder of these settings, one for each process; None when searching goes by words alone.

    `seconds` is how long one request to an endpoint may take.
    """
    if settings.embedder == "builtin":
        folder = settings.data_dir / "models" if settings.data_dir else Path(tempfile.gettempdir(), "lifevault-models")
        return _builtin(folder, settings.embedder_threads)
    if settings.embedder == "http":
        key = settings.embedder_api_key.get_secret_value()
        return _http(settings.embedder_url, key, settings.embedder_model, settings.embedder_dimensions, seconds)
    return None


@lru_cache(maxsize=1)
def _builtin(folder: Path, threads: int) -> Embedder | None:
    try:
        weights_folder()
        installed = all(map(find_spec, ("onnx", "onnxruntime", "tokenizers")))
    except WeightsMissing:
        installed = False
    if not installed:
        log.warning("the built-in embedder is not installed: searching by words alone")
        return None
    return MiniLMEmbedder(folder, threads)


@lru_cache(maxsize=2)
def _http(url: str, key: str, model: str, dimensions: int, seconds: float) -> Embedder:
    return HttpEmbedder(url, key, model, dimensions, timeout_seconds=seconds)


class ShardCache:
    """Opened shards by revision, the least used forgotten first; whoever asks must have decided about access.

    One that nobody has asked for in `idle_seconds` is dropped, whether or not another is asked for: what was deleted,
    superseded or no longer shared does not stay in memory.
    """

    def __init__(self, most_bytes: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._most_bytes = most_bytes
        self._idle_seconds = idle_seconds
        self._shards: OrderedDict[UUID, tuple[float, Shard]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._sweeper: threading.Timer | None = None

    @property
    def nbytes(self) -> int:
        """Memory of what is held."""
        return self._bytes

    def get(self, revision: UUID) -> Shard | None:
        """An opened shard, or None."""
        with self._lock:
            entry = self._shards.get(revision)
            if entry is None:
                return None
            self._shards[revision] = (time.monotonic(), entry[1])
            self._shards.move_to_end(revision)
            return entry[1]

    def put(self, revision: UUID, shard: Shard) -> None:
        """Keep a shard for a while; one larger than the whole cache is not kept."""
        with self._lock:
            self._drop(revision)
            if _bytes(shard) > self._most_bytes:
                return
            self._shards[revision] = (time.monotonic(), shard)
            self._bytes += _bytes(shard)
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._shards)))
            self._sweep_later()

    def _drop(self, revision: UUID) -> None:
        entry = self._shards.pop(revision, None)
        if entry:
            self._bytes -= _bytes(entry[1])

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Timer(self._idle_seconds / 2, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        """Drop what is idle; the order of use is the order of the entries."""
        with self._lock:
            self._sweeper = None
            idle_since = time.monotonic() - self._idle_seconds
            while self._shards and next(iter(self._shards.values()))[0] < idle_since:
                self._drop(next(iter(self._shards)))
            if self._shards:
                self._sweep_later()


def _bytes(shard: Shard) -> int:
    return shard.nbytes + SHARD_OVERHEAD_BYTES


@lru_cache(maxsize=1)
def shard_cache(most_bytes: int) -> ShardCache:
    """The cache of this process."""
    return ShardCache(most_bytes)
