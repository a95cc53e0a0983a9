"""Texts to vectors: the built-in model that needs no network, or any OpenAI-compatible endpoint."""

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import numpy as np
from numpy.typing import NDArray

from app.rag import minilm

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Makes vectors whose dot product is the likeness of two texts.

    `model_id` names model, version and quantisation: vectors are comparable only under one id.
    """

    @property
    def model_id(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 a text."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """One vector of length 1."""
        ...


class EmbeddingFailed(RuntimeError):
    """An embeddings endpoint did not answer, or answered something that can't be used."""


class MiniLMEmbedder:
    """all-MiniLM-L6-v2 in process: 8-bit for passages (twice as fast), 32-bit for questions (closer to the original).

    Cheap to construct; weights are loaded at first use. Safe to share between threads. Raises `WeightsMissing` at
    first use when the package with the weights is not installed.
    """

    model_id = f"all-minilm-l6-v2.{minilm.GRAPH_VERSION}.int8"
    dimensions = minilm.DIMENSIONS

    def __init__(self, cache_dir: Path, threads: int = 1) -> None:
        self._passages = _Session(cache_dir, threads, quantised=True)
        self._queries = _Session(cache_dir, threads, quantised=False)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        # One by one: measured faster than any batch, which pays for padding and falls out of the processor's cache.
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[:] = self._passages.embed(text)
        return vectors

    def embed_query(self, text: str) -> Vectors:
        return self._queries.embed(text)


class _Session:
    """One loaded graph with its tokenizer; the first caller loads, others wait."""

    def __init__(self, cache_dir: Path, threads: int, *, quantised: bool) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, InferenceSession] | None = None
        self._load = partial(_load, cache_dir, threads, quantised=quantised)

    def embed(self, text: str) -> Vectors:
        with self._lock:
            self._loaded = self._loaded or self._load()
        tokenizer, session = self._loaded
        ids = np.array([tokenizer.encode(text).ids], np.int32)
        outputs = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        vector: Vectors = outputs[0][0]
        return vector


def _load(cache_dir: Path, threads: int, *, quantised: bool) -> "tuple[Tokenizer, InferenceSession]":
    from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415 - heavy, an optional extra
    from tokenizers import Tokenizer  # noqa: PLC0415 - as above

    tokenizer = Tokenizer.from_file(str(minilm.weights_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(minilm.MAX_TOKENS)
    tokenizer.no_padding()
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = minilm.cached_graph(cache_dir, quantised=quantised)
    return tokenizer, InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


class HttpEmbedder:
    """Any endpoint that speaks OpenAI's `POST {base_url}/embeddings`. Both methods raise `EmbeddingFailed`."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        dimensions: int,
        *,
        batch: int = 64,
        timeout_seconds: float = 30,
    ) -> None:
        self.model_id = f"{model}.{dimensions}"
        self.dimensions = dimensions
        self._model = model
        self._batch = batch
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout_seconds,
        )

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        batches = [self._request(batch) for batch in _batches(texts, self._batch)]
        return np.concatenate(batches) if batches else np.empty((0, self.dimensions), np.float32)

    def embed_query(self, text: str) -> Vectors:
        row: Vectors = self._request([text])[0]
        return row

    def close(self) -> None:
        self._client.close()

    def _request(self, texts: Sequence[str]) -> Vectors:
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            answer = self._client.post("/embeddings", json=body)
            answer.raise_for_status()
            entries = sorted(answer.json()["data"], key=lambda entry: entry["index"])
            vectors = np.array([entry["embedding"] for entry in entries], np.float32)
        except httpx.HTTPError as error:
            raise EmbeddingFailed(f"the embeddings endpoint failed: {type(error).__name__}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise EmbeddingFailed("the embeddings endpoint answered something else than embeddings") from error
        return self._checked(vectors, len(texts))

    def _checked(self, vectors: NDArray[Any], count: int) -> Vectors:
        if vectors.shape != (count, self.dimensions) or not np.isfinite(vectors).all():
            raise EmbeddingFailed(f"the embeddings endpoint did not answer {count} vectors of {self.dimensions}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        normalised: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return normalised


def _batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for begin in range(0, len(texts), size):
        yield texts[begin : begin + size]
