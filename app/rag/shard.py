"""The index of one document version as bytes: written once, sealed by the caller, opened without touching every word.

Layout: magic, version, header length, JSON header (source, model, sections), then the sections as little-endian arrays,
each at a multiple of 8 bytes. The bytes are plaintext; the caller encrypts them before they go anywhere.
"""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.rag.document import Chunk, Page, Source
from app.rag.segments import windows
from app.rag.text import stems, term_id

MAGIC = b"LVSHARD\x01"
_ALIGNMENT = 8

_SECTIONS = {
    "page_numbers": "<u4",
    "page_lengths": "<u4",  # characters
    "page_bytes": "<u8",  # where each page begins in `text`, and the end
    "text": "|u1",
    "chunks": "<u4",  # rows of page index, start, end
    "chunk_terms": "<u4",  # words that carry meaning in each chunk
    "headings": "|u1",  # JSON list
    "terms": "<u8",  # sorted term ids
    "postings_at": "<u8",  # where each term's postings begin, and the end
    "postings": "<u4",  # chunk indexes
    "frequencies": "|u1",  # capped at 255
    "title_terms": "<u8",  # sorted term ids
    "title_frequencies": "|u1",
    "windows": "<u4",  # rows of chunk index, start, end (characters of the page)
    "vectors": "<f2",  # the title's row, then one a window
}


def passages_to_embed(source: Source, chunks: Sequence[Chunk]) -> list[str]:
    """The texts whose vectors `build_shard` expects, in its order: the title, then every window under the title."""
    texts = [chunk.text[start:end] for chunk in chunks for start, end in windows(chunk.text)]
    return [source.title, *(f"{source.title}\n{text}" for text in texts)]


def build_shard(
    source: Source,
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    vectors: NDArray[Any] | None,
    model_id: str | None,
) -> bytes:
    """The plaintext shard. `vectors` has one row for every text of `passages_to_embed`, or is None with `model_id`.

    Raises `ValueError` when pages, chunks and vectors do not fit together.
    """
    arrays = _text_sections(pages) | _chunk_sections(pages, chunks) | _term_sections(source, chunks)
    if vectors is not None:
        if model_id is None or vectors.ndim != 2 or len(vectors) != 1 + len(arrays["windows"]):
            raise ValueError("vectors need a model id and one row for every passage to embed")
        arrays["vectors"] = vectors
    return _pack(source, arrays, model_id if vectors is not None else None)


def _text_sections(pages: Sequence[Page]) -> dict[str, Any]:
    encoded = [page.text.encode("utf-8", "strict") for page in pages]
    return {
        "page_numbers": [page.number for page in pages],
        "page_lengths": [len(page.text) for page in pages],
        "page_bytes": np.cumsum([0] + [len(data) for data in encoded]),
        "text": np.frombuffer(b"".join(encoded), np.uint8),
    }


def _chunk_sections(pages: Sequence[Page], chunks: Sequence[Chunk]) -> dict[str, Any]:
    places = {page.number: index for index, page in enumerate(pages)}
    for chunk in chunks:
        if chunk.page not in places or pages[places[chunk.page]].text[chunk.start : chunk.end] != chunk.text:
            raise ValueError("a chunk is not a slice of its page")
    spans = [
        (index, chunk.start + start, chunk.start + end)
        for index, chunk in enumerate(chunks)
        for start, end in windows(chunk.text)
    ]
    return {
        "chunks": np.array([(places[chunk.page], chunk.start, chunk.end) for chunk in chunks], "<u4").reshape(-1, 3),
        "headings": np.frombuffer(json.dumps([chunk.heading for chunk in chunks]).encode(), np.uint8),
        "windows": np.array(spans, "<u4").reshape(-1, 3),
        "vectors": np.empty((0, 0), "<f2"),
    }


def _term_sections(source: Source, chunks: Sequence[Chunk]) -> dict[str, Any]:
    counts = [Counter(map(term_id, stems(f"{c.heading}\n{c.text}", source.language))) for c in chunks]
    rows = sorted((term, index, count) for index, counter in enumerate(counts) for term, count in counter.items())
    all_terms = np.array([row[0] for row in rows], "<u8")
    terms, first = np.unique(all_terms, return_index=True)
    title = sorted(Counter(map(term_id, stems(source.title, source.language))).items())
    return {
        "chunk_terms": [counter.total() for counter in counts],
        "terms": terms,
        "postings_at": np.append(first, len(rows)),
        "postings": [row[1] for row in rows],
        "frequencies": [min(row[2], 255) for row in rows],
        "title_terms": [term for term, _ in title],
        "title_frequencies": [min(count, 255) for _, count in title],
    }


def _pack(source: Source, arrays: dict[str, Any], model_id: str | None) -> bytes:
    sections: dict[str, Any] = {}
    body = bytearray()
    for name, dtype in _SECTIONS.items():
        array = np.asarray(arrays[name], dtype)
        sections[name] = [len(body), list(array.shape)]
        body += array.tobytes()
        body += bytes(-len(body) % _ALIGNMENT)
    header = json.dumps(
        {
            "document_id": source.document_id.hex,
            "version_id": source.version_id.hex,
            "vault_id": source.vault_id.hex,
            "title": source.title,
            "language": source.language,
            "model_id": model_id,
            "sections": sections,
        }
    ).encode()
    header += b" " * (-(len(MAGIC) + 8 + len(header)) % _ALIGNMENT)
    return MAGIC + len(header).to_bytes(8, "little") + header + bytes(body)


class Shard:
    """An opened shard; arrays are views of the bytes it was opened from."""

    def __init__(self, source: Source, model_id: str | None, arrays: dict[str, NDArray[Any]], size: int) -> None:
        self.source = source
        self.model_id = model_id
        self._arrays = arrays
        self._size = size
        self.terms: NDArray[np.uint64] = arrays["terms"]
        self.title_terms: NDArray[np.uint64] = arrays["title_terms"]
        self.title_frequencies: NDArray[np.uint8] = arrays["title_frequencies"]
        self.chunk_terms: NDArray[np.uint32] = arrays["chunk_terms"]

    def __len__(self) -> int:
        """How many chunks it holds."""
        return len(self.chunk_terms)

    @property
    def nbytes(self) -> int:
        """Memory it takes when everything in it is in use: bytes, vectors in 32 bits, decoded text."""
        return self._size + 2 * self._arrays["vectors"].nbytes + 2 * self._arrays["text"].nbytes

    @property
    def page_count(self) -> int:
        return len(self._arrays["page_numbers"])

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The title's row and one a window, or no rows at all; NumPy multiplies 32 bits far faster than 16."""
        return self._arrays["vectors"].astype(np.float32)

    @cached_property
    def first_windows(self) -> NDArray[np.int64]:
        """Where each chunk's windows begin."""
        return np.searchsorted(self._arrays["windows"][:, 0], np.arange(len(self)))

    def windows(self, chunk: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Start and end (characters of the page) and vector of each window of a chunk."""
        begin, end = np.searchsorted(self._arrays["windows"][:, 0], [chunk, chunk + 1])
        return self._arrays["windows"][begin:end, 1:], self.vectors[1 + begin : 1 + end]

    @cached_property
    def headings(self) -> list[str]:
        loaded: list[str] = json.loads(self._arrays["headings"].tobytes())
        return loaded

    @cached_property
    def _pages(self) -> dict[int, str]:
        return {}

    def page_text(self, index: int) -> str:
        """The text of the page at `index` (from 0), decoded once."""
        if index not in self._pages:
            begin, end = self._arrays["page_bytes"][index : index + 2]
            self._pages[index] = self._arrays["text"][begin:end].tobytes().decode()
        return self._pages[index]

    def chunk(self, index: int) -> tuple[int, int, int, str]:
        """Page number, start, end and text of a chunk."""
        page, start, end = map(int, self._arrays["chunks"][index])
        return int(self._arrays["page_numbers"][page]), start, end, self.page_text(page)[start:end]

    def find(self, terms: NDArray[np.uint64]) -> NDArray[np.int64]:
        """For each term its place in `terms`, or -1."""
        return _find(self.terms, terms)

    def find_in_title(self, terms: NDArray[np.uint64]) -> NDArray[np.int64]:
        """For each term its place in `title_terms`, or -1."""
        return _find(self.title_terms, terms)

    def postings(self, place: int) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        """Chunk indexes and frequencies of the term at `place`."""
        begin, end = self._arrays["postings_at"][place : place + 2]
        return self._arrays["postings"][begin:end], self._arrays["frequencies"][begin:end]


def _find(haystack: NDArray[np.uint64], needles: NDArray[np.uint64]) -> NDArray[np.int64]:
    if not len(haystack):
        return np.full(len(needles), -1, np.int64)
    places = np.minimum(np.searchsorted(haystack, needles), len(haystack) - 1)
    return np.where(haystack[places] == needles, places, -1)


def open_shard(data: bytes) -> Shard:
    """Raises `ValueError` for anything that `build_shard` would not have written."""
    try:
        header, body = _header(data)
        arrays = {name: _section(body, dtype, *header["sections"][name]) for name, dtype in _SECTIONS.items()}
        ids = (UUID(hex=header[name]) for name in ("document_id", "version_id", "vault_id"))
        source = Source(*ids, title=str(header["title"]), language=str(header["language"]))
        _check(arrays)
        return Shard(source, header["model_id"], arrays, len(data))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError("not a readable shard") from error


def _header(data: bytes) -> tuple[dict[str, Any], memoryview]:
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("not a shard of this version")
    begin = len(MAGIC) + 8
    end = begin + int.from_bytes(data[len(MAGIC) : begin], "little")
    if end > len(data):
        raise ValueError("the shard is cut off")
    return json.loads(data[begin:end]), memoryview(data)[end:]


def _section(body: memoryview, dtype: str, offset: int, shape: list[int]) -> NDArray[Any]:
    if offset < 0 or not 1 <= len(shape) <= 2 or min(shape) < 0:
        raise ValueError("a section has an impossible shape")
    count = int(np.prod(shape, dtype=object))
    return np.frombuffer(body, dtype, count, offset).reshape(shape) if count else np.empty(shape, dtype)


def _check(arrays: dict[str, NDArray[Any]]) -> None:
    """Everything that would otherwise fail later, in the middle of a search."""
    chunks, found = len(arrays["chunks"]), arrays["windows"]
    pages, spans = len(arrays["page_numbers"]), arrays["chunks"]
    fits = (
        spans.shape == (chunks, 3)
        and found.ndim == 2
        and found.shape[1] == 3
        and len(arrays["chunk_terms"]) == chunks
        and len(arrays["page_lengths"]) == pages
        and _partitions(arrays["page_bytes"], pages, len(arrays["text"]))
        and _partitions(arrays["postings_at"], len(arrays["terms"]), len(arrays["postings"]))
        and len(arrays["frequencies"]) == len(arrays["postings"])
        and len(arrays["title_frequencies"]) == len(arrays["title_terms"])
        and _below(arrays["postings"], chunks)
        and _below(spans[:, 0], pages)
        and bool((spans[:, 1] <= spans[:, 2]).all())
        and bool((spans[:, 2] <= arrays["page_lengths"][spans[:, 0]]).all())
        and _counts_up(found[:, 0], chunks)
        and arrays["vectors"].ndim == 2
        and len(arrays["vectors"]) in (0, 1 + len(found))
    )
    if not fits:
        raise ValueError("the sections of the shard contradict each other")


def _partitions(starts: NDArray[Any], parts: int, total: int) -> bool:
    ordered = bool((starts[1:] >= starts[:-1]).all())
    return starts.shape == (parts + 1,) and ordered and int(starts[0]) == 0 and int(starts[-1]) == total


def _counts_up(indexes: NDArray[Any], count: int) -> bool:
    """Whether every chunk has its windows, in order."""
    return bool(np.array_equal(np.unique(indexes), np.arange(count))) and bool((indexes[1:] >= indexes[:-1]).all())


def _below(indexes: NDArray[Any], limit: int) -> bool:
    return not len(indexes) or int(indexes.max()) < limit
