"""How fast files become chunks: `python -m tests.benchmarks.ingest --files DIR [--rounds N] [--json]`.

Every file of the folder is read as the worker does it, by a limited process of its own, and its pages are cut into
chunks. Processor time is that of this process and of all it started. The baseline in the same run is pypdfium2 alone,
which takes the text of every page of the PDFs in this process; the ratio says how much more the whole costs on them.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pypdfium2

from app.core.sniff import HEAD_BYTES, PDF
from app.rag.chunking import chunk_pages
from app.rag.document import Page
from app.rag.parsing import Limits, Unreadable, read_pages, sniff

PART_BYTES = 256 * 1024
GOAL = 40


@dataclass(frozen=True)
class Cost:
    """What one pass over the files took; seconds are of the wall, of processors, and of those for cutting alone."""

    files: int
    pages: int
    chunks: int
    seconds: float
    cpu_seconds: float
    chunk_seconds: float


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


async def parts(content: bytes) -> AsyncIterator[bytes]:
    """The content as a blob store delivers it."""
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]


async def read(name: str, content: bytes) -> list[Page]:
    """The pages of a file; none if it can't be read."""
    media_type = sniff(content[:HEAD_BYTES], name)
    try:
        events = read_pages(parts(content), media_type=media_type, name=name, limits=Limits())
        return [Page(event.number, event.text) async for event in events]
    except Unreadable as error:
        sys.stderr.write(f"{name}: {error}\n")
        return []


async def whole(files: list[Path]) -> Cost:
    """Reading and cutting, one file after the other."""
    pages = chunks = 0
    cutting = 0.0
    started, cpu = time.perf_counter(), cpu_seconds()
    for path in files:
        text = await read(path.name, path.read_bytes())
        before = time.process_time()
        chunks += len(chunk_pages(text))
        cutting += time.process_time() - before
        pages += len(text)
    return Cost(len(files), pages, chunks, time.perf_counter() - started, cpu_seconds() - cpu, cutting)


def bare(files: list[Path]) -> Cost:
    """The text of every page by pypdfium2, nothing else."""
    pages = 0
    started, cpu = time.perf_counter(), cpu_seconds()
    for path in files:
        with pypdfium2.PdfDocument(path) as document:
            for page in document:
                page.get_textpage().get_text_range()
                pages += 1
    return Cost(len(files), pages, 0, time.perf_counter() - started, cpu_seconds() - cpu, 0.0)


def best(rounds: int, measure: Callable[[], Cost]) -> Cost:
    """The round that took the least processor time; the first also pays for imports."""
    return min((measure() for _ in range(rounds)), key=lambda cost: cost.cpu_seconds)


def is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES), path.name) == PDF


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, required=True, help="a folder; its sub-folders are not read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = sorted(path for path in options.files.iterdir() if path.is_file() and not path.name.endswith(".jsonl"))
    pdfs = [path for path in files if is_pdf(path)]

    everything = best(options.rounds, lambda: asyncio.run(whole(files)))
    on_pdfs = best(options.rounds, lambda: asyncio.run(whole(pdfs))) if pdfs != files else everything
    baseline = best(options.rounds, lambda: bare(pdfs))

    figures = {"everything": asdict(everything), "pdf": asdict(on_pdfs), "bare pypdfium2": asdict(baseline)}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n" if options.json else report(everything, on_pdfs, baseline))


def report(everything: Cost, on_pdfs: Cost, baseline: Cost) -> str:
    """The figures as lines of text."""
    lines = [f"{'':<22}{'files':>7}{'pages':>7}{'chunks':>8}{'pages/s':>10}{'pages/CPU-s':>13}{'chunks/s':>10}"]
    for name, cost in (("all files", everything), ("PDF", on_pdfs), ("bare pypdfium2, PDF", baseline)):
        speeds = (cost.pages / cost.seconds, cost.pages / cost.cpu_seconds, cost.chunks / cost.seconds)
        counts = f"{name:<22}{cost.files:>7}{cost.pages:>7}{cost.chunks:>8}"
        lines.append(counts + f"{speeds[0]:>10.0f}{speeds[1]:>13.0f}{speeds[2]:>10.0f}")
    if baseline.pages:
        ratio = on_pdfs.cpu_seconds / baseline.cpu_seconds
        lines.append(f"ratio of processor time to bare extraction: {ratio:.1f} (goal: {GOAL} pages/CPU-s or more)")
    if everything.chunk_seconds:
        lines.append(f"cutting alone: {everything.chunks / everything.chunk_seconds:.0f} chunks/CPU-s")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
