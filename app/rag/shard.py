"""The index of one document version as bytes: written once, sealed by the caller, opened many at a time (see `shelf`).

Layout, little-endian: a header of `HEADER_WORDS` 32-bit words (magic with version, the counts of `Counts`, language,
model), the sections of `_sections` in 32-bit words, then the vectors with 8 bits a dimension. The bytes are plaintext;
the caller encrypts them, and the tag of that is what tells whether they are the very bytes that were written. Texts
are not in here: they are the pages that stand beside the index.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.rag.document import Chunk, Page, Source
from app.rag.segments import windows
from app.rag.text import stems, term_id

HEADER_WORDS = 16
TITLE_ROWS = 1
FREQUENCY_BITS = 8
"""A posting is the number of a chunk and, in so many low bits, how often the word stands there."""

_MOST_FREQUENT = 2**FREQUENCY_BITS - 1
_MAGIC = b"LVSHARD\x03"
_START = struct.Struct("<8s7I4sI20x")
_LEVELS = 127

Words = NDArray[np.uint32]


class Counts(NamedTuple):
    """How long the sections are."""

    chunks: int
    windows: int
    terms: int
    postings: int
    title_terms: int
    dimensions: int
    details: int

    @property
    def rows(self) -> int:
        """Vectors: the title's, and one a window."""
        return TITLE_ROWS + self.windows if self.dimensions else 0

    @property
    def words(self) -> int:
        """Length of everything but the vectors, in words; the sum of `sections`, for every shard that is opened."""
        lists = 2 * self.terms + self.title_terms + self.postings + 5 * self.chunks + 2 * self.windows
        return HEADER_WORDS + 2 + lists + self.rows + (self.details + 3) // 4


def sections(counts: Any) -> Iterator[tuple[str, Any]]:
    """Name and length in words of every section in order; `counts` are `Counts`, or arrays with one number a shard."""
    yield "terms", counts.terms  # sorted
    yield "postings_at", counts.terms + 1  # where the postings of each term begin, and the end
    yield "title_terms", counts.title_terms
    yield "postings", counts.postings
    yield "chunk_terms", counts.chunks  # words that carry meaning
    yield "window_rows", counts.chunks + 1  # where the windows of each chunk begin, and the end
    yield "places", 3 * counts.chunks  # page number, start, end
    yield "windows", 2 * counts.windows  # start, end (characters of the page)
    yield "scales", counts.rows  # what the 8 bits of a vector are multiplied by (float32)
    yield "details", (counts.details + 3) // 4  # JSON


def passages_to_embed(source: Source, chunks: Sequence[Chunk]) -> list[str]:
    """The texts whose vectors `build_shard` expects, in its order: the title, then every window under the title."""
    texts = [chunk.text[start:end] for chunk in chunks for start, end in windows(chunk.text)]
    return [source.title, *(f"{source.title}\n{text}" for text in texts)]


def short_id(stemmed: str) -> int:
    """The half of a stem's id that stands in a shard: two words of one document share it once in many thousands."""
    return term_id(stemmed) >> 32


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
    spans = [[(chunk.start + start, chunk.start + end) for start, end in windows(chunk.text)] for chunk in chunks]
    found = {**_places(pages, chunks), **_terms(source, chunks)}
    found["window_rows"] = np.cumsum([0, *map(len, spans)])
    found["windows"] = [edge for each in spans for span in each for edge in span]
    rows = TITLE_ROWS + sum(map(len, spans))
    return pack(source, found, _checked(vectors, model_id, rows), model_id, [chunk.heading for chunk in chunks])


def pack(
    source: Source, found: dict[str, Any], vectors: NDArray[Any] | None, model_id: str | None, headings: Sequence[str]
) -> bytes:
    """The bytes of a shard whose sections, but for scales and details, are known; `headings` has one for each chunk."""
    ids = [each.hex for each in (source.document_id, source.version_id, source.vault_id)]
    runs = [[next(run)[0], text] for text, run in groupby(enumerate(headings), lambda pair: pair[1])]
    about = {"ids": ids, "title": source.title, "language": source.language, "model": model_id, "headings": runs}
    details = orjson.dumps(about)
    levels, found["scales"] = quantised(vectors) if vectors is not None else (np.empty((0, 0), np.int8), _words([]))
    found["details"] = np.frombuffer(details + b" " * (-len(details) % 4), "<u4")
    counts = Counts(
        chunks=len(found["chunk_terms"]),
        windows=len(found["windows"]) // 2,
        terms=len(found["terms"]),
        postings=len(found["postings"]),
        title_terms=len(found["title_terms"]),
        dimensions=levels.shape[1],
        details=len(details),
    )
    start = _START.pack(_MAGIC, *counts, language_tag(source.language), model_tag(model_id))
    return b"".join([start, *(_words(found[name]).tobytes() for name, _ in sections(counts)), levels.tobytes()])


def quantised(vectors: NDArray[Any]) -> tuple[NDArray[np.int8], Words]:
    """Each row in 8 bits a dimension, and the bits of its scale."""
    wide = np.asarray(vectors, np.float32)
    scales = (np.abs(wide).max(axis=1, initial=0) / _LEVELS).astype("<f4")
    levels = np.rint(wide / np.maximum(scales, np.finfo(np.float32).tiny)[:, None]).astype(np.int8)
    return levels, scales.view("<u4")


def read_counts(data: bytes) -> tuple[Counts, int]:
    """The counts of a shard and the tag of its model. Raises `ValueError` for what `build_shard` has not written."""
    try:
        magic, *numbers, _, model = _START.unpack_from(data)
    except struct.error:
        raise ValueError("not a shard") from None
    counts = Counts(*numbers)
    if magic != _MAGIC or len(data) != 4 * counts.words + counts.rows * counts.dimensions:
        raise ValueError("not an intact shard of this version")
    return counts, model


def model_id_of(data: bytes) -> str | None:
    """What made the vectors of a shard. Raises `ValueError`."""
    counts, _ = read_counts(data)
    end = 4 * counts.words
    model_id: str | None = orjson.loads(data[end - 4 * ((counts.details + 3) // 4) : end])["model"]
    return model_id


def language_tag(language: str) -> bytes:
    """A language as one word of the header."""
    return language.encode()[:4]


def model_tag(model_id: str | None) -> int:
    """A model as one word of the header."""
    return 0 if model_id is None else short_id(model_id) or 1


def _words(values: Any) -> Words:
    return np.asarray(values, "<u4")


def _checked(vectors: NDArray[Any] | None, model_id: str | None, rows: int) -> NDArray[Any] | None:
    if (vectors is None) != (model_id is None):
        raise ValueError("vectors and the id of their model come together")
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != rows):
        raise ValueError(f"{rows} passages to embed need as many vectors")
    return vectors


def _places(pages: Sequence[Page], chunks: Sequence[Chunk]) -> dict[str, Any]:
    texts = {page.number: page.text for page in pages}
    for chunk in chunks:
        if chunk.page not in texts or texts[chunk.page][chunk.start : chunk.end] != chunk.text:
            raise ValueError("a chunk is not a slice of its page")
    return {"places": [number for chunk in chunks for number in (chunk.page, chunk.start, chunk.end)]}


def _terms(source: Source, chunks: Sequence[Chunk]) -> dict[str, Any]:
    counts = [Counter(map(short_id, stems(f"{c.heading}\n{c.text}", source.language))) for c in chunks]
    rows = sorted((term, index, count) for index, counter in enumerate(counts) for term, count in counter.items())
    of_rows = _words([row[0] for row in rows])
    terms, begins = np.unique(of_rows, return_index=True)
    return {
        "terms": terms,
        "postings_at": np.append(begins, len(rows)),
        "title_terms": sorted(set(map(short_id, stems(source.title, source.language)))),
        "postings": [index << FREQUENCY_BITS | min(count, _MOST_FREQUENT) for _, index, count in rows],
        "chunk_terms": [counter.total() for counter in counts],
    }
