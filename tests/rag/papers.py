"""A few invented papers as shards, and a small embedder that is fast and needs no weights."""

import uuid
from collections.abc import Sequence

import numpy as np

from app.rag.document import Chunk, Page, Source
from app.rag.evaluation.library import Paper, make_paper
from app.rag.shard import passages_to_embed
from app.rag.text import stems, term_id

PAPERS = {
    "Honda Jazz motor insurance 2023": (
        "Certificate of motor insurance. Policy NA4799311. Period of cover: 6 December 2023 to 5 December 2024.\n",
        "The policyholder bears the first 840 of every claim. Breakdown: call 0478 916404 at any hour.\n",
    ),
    "Honda Jazz motor insurance 2024": (
        "Certificate of motor insurance. Policy XK1200457. Period of cover: 6 December 2024 to 5 December 2025.\n",
        "The policyholder bears the first 910 of every claim. Breakdown: call 0335 861870 at any hour.\n",
    ),
    "Passport of Zoë Müller": (
        "PASSPORT. Surname: Müller. Given name: Zoë. Passport number VB1598154. Date of expiry 20 January 2029.\n",
        "A worn booklet has to be replaced before travelling; the holder must sign it.\n",
    ),
    "Supply agreement with Brightwater Ltd": (
        "This agreement is made between Oakfield Farms and Brightwater Ltd on 3 May 2021.\n",
        "GOVERNING LAW. This agreement shall be governed by and construed under the laws of Scotland.\n",
        "Neither party may assign this agreement without the prior written consent of the other party.\n",
        "Invoices are payable within thirty days of receipt. Late payments bear interest of 4 per cent.\n",
    ),
}


class WordEmbedder:
    """Texts are alike when they share words: each stem points in a direction of its own."""

    dimensions = 64

    def __init__(self, model_id: str = "words.1") -> None:
        self.model_id = model_id

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.embed_query(text) for text in texts], np.float32).reshape(-1, self.dimensions)

    def embed_query(self, text: str) -> np.ndarray:
        total = np.full(self.dimensions, 1e-3)
        for stem in stems(text):
            total += np.random.default_rng(term_id(stem)).normal(size=self.dimensions)
        return (total / np.linalg.norm(total)).astype(np.float32)


def source_of(title: str) -> Source:
    key = uuid.uuid5(uuid.NAMESPACE_URL, title)
    return Source(document_id=key, version_id=key, vault_id=uuid.uuid5(key, "vault"), title=title)


def cut(pieces: Sequence[str], page: int = 1) -> tuple[Page, list[Chunk]]:
    """One page made of the pieces, and each piece as a chunk."""
    starts = np.cumsum([0, *map(len, pieces)]).tolist()
    text = "".join(pieces)
    chunks = [Chunk(page, start, start + len(piece), piece) for start, piece in zip(starts, pieces, strict=False)]
    return Page(page, text), chunks


def make_shard(title: str, pieces: Sequence[str], embedder: WordEmbedder | None = None) -> Paper:
    page, chunks = cut(pieces)
    source = source_of(title)
    vectors = embedder.embed_passages(passages_to_embed(source, chunks)) if embedder else None
    return make_paper(source, [page], chunks, vectors, embedder.model_id if embedder else None)


def make_shards(embedder: WordEmbedder | None = None) -> list[Paper]:
    return [make_shard(title, pieces, embedder) for title, pieces in PAPERS.items()]
