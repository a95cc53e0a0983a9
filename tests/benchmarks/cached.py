"""An embedder whose vectors are kept in a file, so that a second run of a benchmark is fast."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.rag.embedder import Embedder, MiniLMEmbedder


class CachedEmbedder:
    """Another embedder, remembering what it made in a file, so that a second run is fast."""

    def __init__(self, inner: Embedder, path: Path | None) -> None:
        self.inner, self.path = inner, path
        self.model_id, self.dimensions = inner.model_id, inner.dimensions
        self._known: dict[tuple[bool, str], NDArray[np.float32]] = {}
        if path is not None and path.exists():
            self._known = pickle.loads(path.read_bytes())

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        for text in texts:
            if (False, text) not in self._known:
                self._known[False, text] = self.inner.embed_passages([text])[0]
        return np.array([self._known[False, text] for text in texts], np.float32).reshape(-1, self.dimensions)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        if (True, text) not in self._known:
            self._known[True, text] = self.inner.embed_query(text)
        return self._known[True, text]

    def save(self) -> None:
        if self.path is not None:
            self.path.write_bytes(pickle.dumps(self._known))


def make_embedder(cache: Path) -> CachedEmbedder:
    cache.mkdir(parents=True, exist_ok=True)
    inner = MiniLMEmbedder(cache, threads=2)
    return CachedEmbedder(inner, cache / f"{inner.model_id}.pickle")
