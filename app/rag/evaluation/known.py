"""An embedder that remembers what it made, as an evaluation asks for the same again and again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.rag.embedder import Embedder

Vectors = NDArray[np.float32]


class Known:
    """Another embedder with a memory; `inner` has none."""

    def __init__(self, inner: Embedder) -> None:
        self.inner = inner
        self.known: dict[tuple[bool, str], Vectors] = {}

    @property
    def model_id(self) -> str:
        """As of the other."""
        return self.inner.model_id

    @property
    def dimensions(self) -> int:
        """As of the other."""
        return self.inner.dimensions

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 a text."""
        for text in texts:
            if (False, text) not in self.known:
                self.known[False, text] = self.inner.embed_passages([text])[0]
        return np.array([self.known[False, text] for text in texts], np.float32).reshape(-1, self.dimensions)

    def embed_query(self, text: str) -> Vectors:
        """One vector of length 1."""
        if (True, text) not in self.known:
            self.known[True, text] = self.inner.embed_query(text)
        return self.known[True, text]
