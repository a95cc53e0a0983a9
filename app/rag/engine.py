"""The embedder of the settings, one for each process."""

import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from app.core.breaker import Breaker
from app.core.config import Settings
from app.core.logging import get_log
from app.rag.embedder import Embedder, HttpEmbedder, MiniLMEmbedder
from app.rag.minilm import WeightsMissing, weights_folder

PASSAGES_SECONDS = 30.0
QUESTION_SECONDS = 5.0

log = get_log(__name__)
embedder_breaker = Breaker("embedder")


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
