"""The index of one document version as bytes: written once, sealed by the caller, opened without touching every word.

Layout: magic with version, CRC-32 and length of the header, JSON header (source, model, counts), then the sections of
`_layout` one after another, little-endian. The bytes are plaintext; the caller encrypts them before they go anywhere.
"""

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.rag.document import Chunk, Page, Source
from app.rag.segments import windows
from app.rag.text import stems, term_id

_START = struct.Struct("<8sII")
_MAGIC = b"LVSHARD\x02"
_NO_TERM = 2**64 - 1

Counts = dict[str, int]


def _layout(counts: Counts) -> Iterator[tuple[str, str, int]]:
    """Name, type and length of every section; wide types first, so that each one is aligned."""
    pages, chunks, found = counts["pages"], counts["chunks"], counts["windows"]
    yield "terms", "<u8", counts["terms"] + 1  # sorted ids, and one that no word has
    yield "postings_at", "<u8", counts["terms"] + 1  # where the postings of each term begin, and the end
    yield "page_bytes", "<u8", pages + 1  # where each page begins in `text`, and the end
    yield "page_numbers", "<u4", pages
    yield "chunks", "<u4", 3 * chunks  # page index, start, end
    yield "chunk_terms", "<u4", chunks  # words that carry meaning
    yield "vector_rows", "<u4", 1 + chunks  # the first row of the title (0), then of each chunk's windows
    yield "windows", "<u4", 2 * found  # start, end (characters of the page)
    yield "postings", "<u4", counts["postings"]  # chunk numbers
    yield "vectors", "<f2", (1 + found) * counts["dimensions"]  # the title, then every window
    yield "frequencies", "|u1", counts["postings"]  # capped at 255
    yield "title_frequencies", "|u1", counts["terms"] + 1
    yield "text", "|u1", counts["text"]
    yield "headings", "|u1", counts["headings"]  # a JSON list


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
    sections = {**_texts(pages, chunks), **_places(pages, chunks), **_terms(source, chunks)}
    sections["vectors"] = _vectors(vectors, model_id, 1 + len(sections["windows"]))
    counts = {
        "pages": len(pages),
        "chunks": len(chunks),
        "windows": len(sections["windows"]),
        "terms": len(sections["terms"]) - 1,
        "postings": len(sections["postings"]),
        "dimensions": sections["vectors"].shape[1],
        "text": len(sections["text"]),
        "headings": len(sections["headings"]),
    }
    ids = [each.hex for each in (source.document_id, source.version_id, source.vault_id)]
    header = {"ids": ids, "title": source.title, "language": source.language, "model": model_id, "counts": counts}
    return _pack(header, sections)


def _vectors(vectors: NDArray[Any] | None, model_id: str | None, rows: int) -> NDArray[Any]:
    if (vectors is None) != (model_id is None):
        raise ValueError("vectors and the id of their model come together")
    if vectors is None:
        return np.empty((rows, 0), "<f2")
    if vectors.ndim != 2 or len(vectors) != rows:
        raise ValueError(f"{rows} passages to embed need as many vectors")
    return vectors


def _texts(pages: Sequence[Page], chunks: Sequence[Chunk]) -> dict[str, Any]:
    encoded = [page.text.encode() for page in pages]
    return {
        "page_numbers": [page.number for page in pages],
        "page_bytes": np.cumsum([0, *map(len, encoded)]),
        "text": np.frombuffer(b"".join(encoded), np.uint8),
        "headings": np.frombuffer(json.dumps([chunk.heading for chunk in chunks]).encode(), np.uint8),
    }


def _places(pages: Sequence[Page], chunks: Sequence[Chunk]) -> dict[str, Any]:
    indexes = {page.number: index for index, page in enumerate(pages)}
    for chunk in chunks:
        if chunk.page not in indexes or pages[indexes[chunk.page]].text[chunk.start : chunk.end] != chunk.text:
            raise ValueError("a chunk is not a slice of its page")
    spans = [[(chunk.start + start, chunk.start + end) for start, end in windows(chunk.text)] for chunk in chunks]
    return {
        "chunks": [(indexes[chunk.page], chunk.start, chunk.end) for chunk in chunks],
        "vector_rows": np.cumsum([0, 1, *map(len, spans)])[: 1 + len(chunks)],
        "windows": [span for each in spans for span in each],
    }


def _terms(source: Source, chunks: Sequence[Chunk]) -> dict[str, Any]:
    title = Counter(map(term_id, stems(source.title, source.language)))
    counts = [Counter(map(term_id, stems(f"{c.heading}\n{c.text}", source.language))) for c in chunks]
    rows = sorted((term, index, count) for index, counter in enumerate(counts) for term, count in counter.items())
    terms = np.array(sorted({*title, *(row[0] for row in rows)}), "<u8")
    return {
        "terms": np.append(terms, np.uint64(_NO_TERM)),
        "postings_at": np.searchsorted(
            np.array([row[0] for row in rows], "<u8"), np.append(terms, np.uint64(_NO_TERM))
        ),
        "postings": [row[1] for row in rows],
        "frequencies": [min(row[2], 255) for row in rows],
        "title_frequencies": [min(title[term], 255) for term in (*terms.tolist(), _NO_TERM)],
        "chunk_terms": [counter.total() for counter in counts],
    }


def _pack(header: dict[str, Any], sections: dict[str, Any]) -> bytes:
    body = b"".join(np.asarray(sections[name], dtype).tobytes() for name, dtype, _ in _layout(header["counts"]))
    encoded = json.dumps(header).encode()
    encoded += b" " * (-(_START.size + len(encoded)) % 8)
    return _START.pack(_MAGIC, zlib.crc32(body, zlib.crc32(encoded)), len(encoded)) + encoded + body


class Shard:
    """An opened shard; its arrays are views of the bytes that it was opened from."""

    def __init__(self, source: Source, model_id: str | None, counts: Counts, arrays: dict[str, NDArray[Any]]) -> None:
        self.source = source
        self.model_id = model_id
        self.dimensions = counts["dimensions"]
        self.terms: NDArray[np.uint64] = arrays["terms"]
        self.postings_at: NDArray[np.uint64] = arrays["postings_at"]
        self.postings: NDArray[np.uint32] = arrays["postings"]
        self.frequencies: NDArray[np.uint8] = arrays["frequencies"]
        self.title_frequencies: NDArray[np.uint8] = arrays["title_frequencies"]
        self.chunk_terms: NDArray[np.uint32] = arrays["chunk_terms"]
        self.vector_rows: NDArray[np.uint32] = arrays["vector_rows"]
        self._arrays = arrays
        self._pages: dict[int, str] = {}

    def __len__(self) -> int:
        """How many chunks it holds."""
        return len(self.chunk_terms)

    @property
    def nbytes(self) -> int:
        """Memory it takes when everything in it is in use: its bytes, vectors in 32 bits, decoded text."""
        wide = 2 * self._arrays["vectors"].nbytes + 2 * self._arrays["text"].nbytes
        return wide + sum(array.nbytes for array in self._arrays.values())

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The title's row, then one a window; NumPy multiplies 32 bits far faster than the 16 that are stored."""
        narrow = self._arrays["vectors"].reshape(-1, self.dimensions) if self.dimensions else np.empty((0, 0))
        return narrow.astype(np.float32)

    @cached_property
    def headings(self) -> list[str]:
        loaded: list[str] = json.loads(self._arrays["headings"].tobytes())
        return loaded

    def page_text(self, index: int) -> str:
        """The text of the page at `index` (from 0), decoded once."""
        if index not in self._pages:
            begin, end = self._arrays["page_bytes"][index : index + 2].tolist()
            self._pages[index] = self._arrays["text"][begin:end].tobytes().decode()
        return self._pages[index]

    def chunk(self, index: int) -> tuple[int, int, int, str]:
        """Page number, start, end and text of a chunk."""
        page, start, end = self._arrays["chunks"][3 * index : 3 * index + 3].tolist()
        return int(self._arrays["page_numbers"][page]), start, end, self.page_text(page)[start:end]

    def windows(self, chunk: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Start and end (characters of the page) and vector of each window of a chunk."""
        spans = self._arrays["windows"].reshape(-1, 2)
        begin, end = [*self.vector_rows[1 + chunk : 3 + chunk].tolist(), 1 + len(spans)][:2]
        return spans[begin - 1 : end - 1], self.vectors[begin:end]


def open_shard(data: bytes) -> Shard:
    """Raises `ValueError` for anything but the very bytes that `build_shard` wrote."""
    try:
        magic, checksum, length = _START.unpack_from(data)
        if magic != _MAGIC or zlib.crc32(memoryview(data)[_START.size :]) != checksum:
            raise ValueError
        header = json.loads(data[_START.size : _START.size + length])
        document, version, vault = (UUID(hex=each) for each in header["ids"])
        source = Source(document, version, vault, header["title"], header["language"])
        return Shard(source, header["model"], header["counts"], _arrays(data, _START.size + length, header["counts"]))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not an intact shard of this version") from error


def _arrays(data: bytes, offset: int, counts: Counts) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, length in _layout(counts):
        # An empty section may stand at the very end, where `frombuffer` refuses to look.
        arrays[name] = np.frombuffer(data, dtype, length, offset) if length else np.empty(0, dtype)
        offset += arrays[name].nbytes
    return arrays
