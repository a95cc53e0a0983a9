"""An embedder whose vectors are kept in a file, so that a second run of a benchmark is fast."""

import pickle
from pathlib import Path

from app.rag.embedder import Embedder, MiniLMEmbedder
from app.rag.evaluation.known import Known


class CachedEmbedder(Known):
    """Another embedder, remembering what it made in a file, so that a second run is fast."""

    def __init__(self, inner: Embedder, path: Path | None) -> None:
        super().__init__(inner)
        self.path = path
        if path is not None and path.exists():
            self.known = pickle.loads(path.read_bytes())

    def save(self) -> None:
        if self.path is not None:
            self.path.write_bytes(pickle.dumps(self.known))


def make_embedder(cache: Path) -> CachedEmbedder:
    cache.mkdir(parents=True, exist_ok=True)
    inner = MiniLMEmbedder(cache, threads=2)
    return CachedEmbedder(inner, cache / f"{inner.model_id}.pickle")
