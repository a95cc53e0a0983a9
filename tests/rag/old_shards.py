"""Shards as pipeline 2 wrote them, of which there may still be some in a database."""

import json
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.rag.document import Chunk, Page, Source
from app.rag.old_shard import MAGIC, _layout
from app.rag.segments import windows
from app.rag.text import stems, term_id

NO_TERM = 2**64 - 1


def build_old_shard(
    source: Source, pages: Sequence[Page], chunks: Sequence[Chunk], vectors: NDArray[Any] | None, model_id: str | None
) -> bytes:
    """The plaintext shard."""
    numbers = [page.number for page in pages]
    encoded = [page.text.encode() for page in pages]
    spans = [[(chunk.start + start, chunk.start + end) for start, end in windows(chunk.text)] for chunk in chunks]
    title = Counter(map(term_id, stems(source.title, source.language)))
    counted = [Counter(map(term_id, stems(f"{c.heading}\n{c.text}", source.language))) for c in chunks]
    rows = sorted((term, index, count) for index, counter in enumerate(counted) for term, count in counter.items())
    terms = np.append(np.array(sorted({*title, *(row[0] for row in rows)}), "<u8"), np.uint64(NO_TERM))
    sections = {
        "terms": terms,
        "postings_at": np.searchsorted(np.array([row[0] for row in rows], "<u8"), terms),
        "page_bytes": np.cumsum([0, *map(len, encoded)]),
        "page_numbers": numbers,
        "chunks": [(numbers.index(chunk.page), chunk.start, chunk.end) for chunk in chunks],
        "chunk_terms": [counter.total() for counter in counted],
        "vector_rows": np.cumsum([0, 1, *map(len, spans)])[: 1 + len(chunks)],
        "windows": [span for each in spans for span in each],
        "postings": [row[1] for row in rows],
        "vectors": np.empty((0, 0)) if vectors is None else vectors,
        "frequencies": [min(row[2], 255) for row in rows],
        "title_frequencies": [min(title[term], 255) for term in terms.tolist()],
        "text": np.frombuffer(b"".join(encoded), np.uint8),
        "headings": np.frombuffer(json.dumps([chunk.heading for chunk in chunks]).encode(), np.uint8),
    }
    counts = {name: len(sections[name]) for name in ("chunks", "windows", "postings", "text", "headings")}
    counts |= {"pages": len(pages), "terms": len(terms) - 1, "dimensions": sections["vectors"].shape[1]}
    ids = [each.hex for each in (source.document_id, source.version_id, source.vault_id)]
    header = {"ids": ids, "title": source.title, "language": source.language, "model": model_id, "counts": counts}
    body = b"".join(np.asarray(sections[name], dtype).tobytes() for name, dtype, _ in _layout(counts))
    start = json.dumps(header).encode()
    start += b" " * (-(16 + len(start)) % 8)
    return struct.pack("<8sII", MAGIC, zlib.crc32(body, zlib.crc32(start)), len(start)) + start + body
