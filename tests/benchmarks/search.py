"""How fast a search through the API is: `python -m tests.benchmarks.search [--chunks N] [--json]`.

One person's vaults hold 20,000 chunks, once as many small documents and once as few long ones, made of words as
frequent as in real language (Zipf). Cold: no index is opened yet, so all are fetched, decrypted and opened for the
question. Vectors are random, as only their number costs time; questions are embedded by the built-in model. The
baseline in the same run is PostgreSQL full-text search (OR of the words, GIN, `ts_rank_cd`) over the same texts in
clear. At last the same vaults have PostgreSQL compare their vectors (pgvector): how long that takes, and how much
memory of each process it saves.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
import psutil
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.db.runtime import close_runtime, current, open_runtime
from app.db.session import Actor, session_scope
from app.main import create_app
from app.rag import cache, engine, service, tasks
from app.rag.chunking import chunk_pages
from app.rag.document import Chunk, Page, Source
from app.rag.models import PAGE, Artifact, ShardRow, VectorChoice, VectorSet
from app.rag.pgvector.table import create_table
from app.rag.pipelines import PIPELINE
from app.rag.publishing import Index, publish
from app.rag.shard import build_shard, passages_to_embed
from tests.benchmarks.place import Place, own_place
from tests.factories import auth, make_document, make_user, make_vault

GOALS = {"cold": 250, "warm": 50}
WORDS = 30_000
VAULTS = 8
SHAPES = {"2,000 documents": 2_000, "200 documents": 200}


@dataclass(frozen=True)
class Paper:
    """A document of made-up words."""

    pages: list[Page]
    chunks: list[Chunk]


def papers(count: int, chunks: int, rng: random.Random) -> list[Paper]:
    """So many documents with together about so many chunks."""
    words = [f"{rng.choice('bcdfgklmprst')}{number:x}a" for number in range(WORDS)]
    frequencies = [1 / (rank + 2.7) for rank in range(WORDS)]
    found, total = [], 0
    for number in range(count):
        pages: list[Page] = []
        cut: list[Chunk] = []
        while len(cut) + total < (number + 1) * chunks / count:
            drawn = rng.choices(words, frequencies, k=420)
            sentences = (" ".join(drawn[at : at + 14]).capitalize() + "." for at in range(0, 420, 14))
            pages.append(Page(len(pages) + 1, " ".join(sentences)))
            cut = chunk_pages(pages)
        found.append(Paper(pages, cut))
        total += len(cut)
    return found


async def store(documents: Sequence[Paper]) -> Any:
    """A person with these documents, read and published; returns them."""
    user = await make_user()
    vaults = [await make_vault(user, name=f"Vault {number}") for number in range(VAULTS)]
    embedder = engine.embedder_of(current().settings)
    rng = np.random.default_rng(1)
    for number, paper in enumerate(documents):
        vault = vaults[number % VAULTS]
        document = await make_document(user, vault, title=f"Paper {number}")
        source = Source(document.id, document.version_id, vault.id, document.title, "en")
        vectors = None
        if embedder:
            vectors = rng.standard_normal((len(passages_to_embed(source, paper.chunks)), embedder.dimensions))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        model_id = embedder.model_id if embedder else None
        shard = build_shard(source, paper.pages, paper.chunks, vectors, model_id)
        async with session_scope(Actor.vault(vault.id)) as session:
            await keep_pages(session, source, paper.pages)
            await publish(session, Index(source, shard, model_id, len(paper.pages), len(paper.chunks)))
    return user


async def keep_pages(session: AsyncSession, source: Source, pages: Sequence[Page]) -> None:
    """The pages beside the index, as reading leaves them."""
    ring = await current().keys.ring(session, source.vault_id)
    shared = {"version_id": source.version_id, "vault_id": source.vault_id, "stage": PAGE, "pipeline": PIPELINE}
    rows = []
    for page in pages:
        row_id = new_id()
        body = ring.seal("rag_artifacts", row_id, "body", page.text.encode())
        rows.append({"id": row_id, "ordinal": page.number, "body": body, **shared})
    if rows:
        await session.execute(insert(Artifact), rows)


async def milliseconds(work: Callable[[str], Awaitable[object]], questions: Sequence[str]) -> dict[str, float]:
    """Times of one question after another; and the mean processor time of one, here and in the servers."""
    times = []
    here, servers = time.process_time(), of_servers()
    for question in questions:
        started = time.perf_counter()
        await work(question)
        times.append((time.perf_counter() - started) * 1000)
    each = 1000 / len(questions)
    return {
        "p50": statistics.median(times),
        "p95": float(np.percentile(times, 95)),
        "max": max(times),
        "CPU": (time.process_time() - here) * each,
        "CPU of servers": (of_servers() - servers) * each,
    }


def of_servers() -> float:
    """Processor seconds of PostgreSQL and Valkey so far, those of their processes that have ended included."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            spent = child.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


async def in_clear(url: str, documents: Sequence[Paper]) -> Any:
    """The same chunks as plain text under a full-text index."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TEMP TABLE clear_chunks (body text, words tsvector)")
    rows = [(chunk.text,) for paper in documents for chunk in paper.chunks]
    await connection.executemany("INSERT INTO clear_chunks (body) VALUES ($1)", rows)
    await connection.execute("UPDATE clear_chunks SET words = to_tsvector('english', body)")
    await connection.execute("CREATE INDEX ON clear_chunks USING gin (words)")
    await connection.execute("VACUUM ANALYZE clear_chunks")
    return connection


async def measure(documents: Sequence[Paper], client: httpx.AsyncClient, url: str, rounds: int) -> dict[str, Any]:
    """Times of one shape of vault."""
    rng = random.Random(3)
    user = await store(documents)

    def question() -> str:
        chunk = rng.choice(rng.choice(documents).chunks).text.replace(".", "").split()
        return "What about " + " ".join(rng.sample(chunk, 5)) + "?"

    async def ask(text: str) -> None:
        response = await client.post("/v1/rag/search", json={"query": text}, headers=auth(user))
        assert len(response.raise_for_status().json()["hits"]) == 10

    async def ask_cold(text: str) -> None:
        cache.shelf_cache(current().settings.shard_cache_bytes).clear()
        await ask(text)

    connection = await in_clear(url, documents)

    async def ask_postgres(text: str) -> None:
        words = " | ".join(text.rstrip("?").split()[2:])
        await connection.fetch(
            "SELECT body, ts_rank_cd(words, q) AS rank FROM clear_chunks, to_tsquery('english', $1) q "
            "WHERE words @@ q ORDER BY rank DESC LIMIT 10",
            words,
        )

    first = await milliseconds(ask, [question()])
    opened = cache.shelf_cache(current().settings.shard_cache_bytes)
    times, memory = {}, {}
    for mode in ("", "pgvector, "):
        if mode:
            await copy_vectors()
            await ask_cold(question())
        times[f"{mode}cold"] = await milliseconds(ask_cold, [question() for _ in range(rounds)])
        await ask(question())
        times[f"{mode}warm"] = await milliseconds(ask, [question() for _ in range(5 * rounds)])
        memory[f"{mode}MB in memory"] = opened.nbytes / 1e6
    postgres = await milliseconds(ask_postgres, [question() for _ in range(5 * rounds)])
    await connection.close()
    return {
        "chunks": sum(len(paper.chunks) for paper in documents),
        "first": first,
        **times,
        "PostgreSQL full text in clear": postgres,
        "ratio of warm to PostgreSQL, p50": times["warm"]["p50"] / postgres["p50"],
        "ratio of pgvector to warm, p50": times["pgvector, warm"]["p50"] / times["warm"]["p50"],
        **memory,
    }


async def copy_vectors() -> None:
    """Have PostgreSQL compare the vectors of every vault, as if their owners had chosen that."""
    async with session_scope() as session:
        known = select(VectorChoice.vault_id)
        chosen = select(ShardRow.vault_id).distinct().where(ShardRow.vault_id.not_in(known))
        await session.execute(insert(VectorChoice).from_select(["vault_id"], chosen))
    await tasks.store_vectors()
    async with session_scope() as session:
        assert await session.scalar(select(func.count()).select_from(VectorSet))


async def run(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    """Times of each shape."""
    await create_table(place.postgres.owner, place.postgres.superuser)
    folder = arguments.cache or place.folder
    changes: dict[str, Any] = {"environment": "test", "data_dir": folder, "vector_index": "pgvector"}
    settings = place.settings(**changes, shard_cache_bytes=2**30)
    open_runtime(settings)
    service.warm_up_now(settings)
    transport = httpx.ASGITransport(create_app(settings))
    result = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
        for name, count in SHAPES.items():
            made = papers(count, arguments.chunks, random.Random(7))
            result[name] = await measure(made, client, place.postgres.superuser, arguments.rounds)
    await close_runtime()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cache", type=Path, help="a folder in which the model is kept")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with own_place() as place:
        result = asyncio.run(run(arguments, place))
    sys.stdout.write(json.dumps(result, indent=2) + "\n" if arguments.json else report(result))


def report(result: dict[str, Any]) -> str:
    """The figures as lines of text."""
    lines = [f"{'milliseconds for a question':<44}{'p50':>8}{'p95':>8}{'max':>8}{'CPU':>8}{'servers':>8}"]
    for shape, figures in result.items():
        lines.append(f"{shape}, {figures['chunks']} chunks")
        for name, times in figures.items():
            if isinstance(times, dict):
                goal = f"   goal: p95 {GOALS[name]}" if name in GOALS else ""
                lines.append(f"  {name:<42}" + "".join(f"{value:>8.1f}" for value in times.values()) + goal)
        others = (pair for pair in figures.items() if isinstance(pair[1], float))
        lines += [f"  {name:<42}{value:>8.2f}" for name, value in others]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
