"""The whole way from a stored file to its published index: `python -m tests.benchmarks.pipeline --files DIR [--json]`.

Every file of the folder is uploaded and its job run in this process, as the worker does it: decryption, the limited
reading process, chunks, vectors, sealing and the database. Processor time is that of this process and of the readers.
Baselines in the same run: pypdfium2 alone (pages), and the embedder alone on the same passages.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pypdfium2

from app import tasks
from app.core.config import Settings
from app.db.runtime import close_runtime, open_runtime
from app.db.session import session_scope
from app.jobs import service as jobs
from app.jobs.runner import run_job
from app.main import create_app
from app.rag.chunking import chunk_pages
from app.rag.document import Page, Source
from app.rag.engine import embedder_of
from app.rag.shard import passages_to_embed
from tests.benchmarks.ingest import cpu_seconds
from tests.benchmarks.place import Place, own_place

assert tasks.__all__
GOALS = {"pages a second, without vectors": 40.0, "times the embedder alone": 1.3}


async def ingested(settings: Settings, files: list[Path]) -> tuple[float, int, int]:
    """Processor seconds for all jobs, pages, chunks."""
    open_runtime(settings)
    app = create_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as client:
        account = {
            "email": f"{secrets.token_hex(6)}@bench.test",
            "password": secrets.token_urlsafe(16),
            "name": "Bench",
        }
        (await client.post("/v1/auth/register", json=account)).raise_for_status()
        form = {"username": account["email"], "password": account["password"]}
        token = (await client.post("/v1/auth/token", data=form)).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        vault = {"name": "Bench", "kind": "personal", "tier": "assisted"}
        vault_id = (await client.post("/v1/vault/vaults", json=vault)).raise_for_status().json()["id"]
        ids = []
        for file in files:
            content = {"file": (file.name, file.read_bytes())}
            stored = await client.post("/v1/vault/documents", data={"vault_id": vault_id}, files=content)
            ids.append(stored.raise_for_status().json())
        started = cpu_seconds()
        for document in ids:
            await run_job(document["job_id"], settings.job_lease_seconds)
        seconds = cpu_seconds() - started
        states = [(await client.get(f"/v1/rag/documents/{document['id']}")).json() for document in ids]
    async with session_scope() as session:
        await jobs.purge_finished(session)
    await close_runtime()
    return seconds, sum(state["pages"] for state in states), sum(state["chunks"] for state in states)


def embedding_alone(settings: Settings, files: list[Path]) -> tuple[float, int]:
    """Processor seconds for the vectors of the same passages, and how many passages."""
    embedder = embedder_of(settings)
    assert embedder is not None
    embedder.embed_passages(["warm"])
    passages = [text for file in files for text in _passages(file)]
    started = time.process_time()
    embedder.embed_passages(passages)
    return time.process_time() - started, len(passages)


def _passages(file: Path) -> list[str]:
    document = pypdfium2.PdfDocument(file)
    texts = [document[number].get_textpage().get_text_bounded() for number in range(len(document))]
    pages = [Page(number, text.replace("\r\n", "\n")) for number, text in enumerate(texts, 1)]
    nothing: Any = None
    return passages_to_embed(Source(nothing, nothing, nothing, file.stem), chunk_pages(pages))


def bare_extraction(files: list[Path]) -> float:
    """Processor seconds of pypdfium2 alone."""
    started = time.process_time()
    for file in files:
        document = pypdfium2.PdfDocument(file)
        for number in range(len(document)):
            document[number].get_textpage().get_text_bounded()
    return time.process_time() - started


def measure(files: list[Path], place: Place) -> dict[str, float]:
    plain, pages, chunks = asyncio.run(ingested(place.settings(redis_url="", embedder="none"), files))
    settings = place.settings(redis_url="", embedder="builtin")
    alone, passages = embedding_alone(settings, files)
    whole, _, _ = asyncio.run(ingested(settings, files))
    return {
        "pages": pages,
        "chunks": chunks,
        "passages": passages,
        "pages a second, bare pypdfium2": pages / bare_extraction(files),
        "pages a second, without vectors": pages / plain,
        "pages a second, with vectors": pages / whole,
        "chunks a second, with vectors": chunks / whole,
        "passages a second, embedder alone": passages / alone,
        "times the embedder alone": whole / alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True, help="a folder with PDFs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    files = sorted(arguments.files.glob("*.pdf"))
    with own_place() as place:
        result = measure(files, place)
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write("a second is one of processor time\n")
    for title, value in result.items():
        goal = f"   goal {GOALS[title]:g}" if title in GOALS else ""
        sys.stdout.write(f"{title:36}{value:10.1f}{goal}\n")


if __name__ == "__main__":
    main()
