"""The figures that need servers or fresh processes: measured by the benchmarks of a checkout, or named with them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from app.rag.evaluation.figures import Better, Figure

MODULE: Final = "tests.benchmarks"
FILES: Final = "pipeline"
MICROSECOND: Final = 1e-3
"""In milliseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, and where a benchmark prints it in its JSON; of several places the worst counts, times `scale`."""

    area: str
    name: str
    unit: str
    better: Better
    goal: float
    benchmark: str
    places: tuple[tuple[str, ...], ...]
    scale: float = 1.0
    gated: bool = True

    def figure(self, printed: Any = None) -> Figure:
        """As it was printed, or not measured."""
        ways = f"python -m {MODULE}.{self.benchmark}"
        known = Figure(self.area, self.name, None, self.unit, self.goal, self.better, 0, self.gated, measured_by=ways)
        if printed is None:
            return known
        values = [_at(printed, place) * self.scale for place in self.places]
        return replace(known, value=round(min(values) if self.better == "more" else max(values), 2))


def _at(printed: Any, place: tuple[str, ...]) -> float:
    for name in place:
        printed = printed[name]
    return float(printed)


KINDS: Final = {"list 20": 4, "get": 4, "create": 4}
OBSERVED: Final = tuple(("logs, metrics", kind) for kind in KINDS)
AGAIN, NEW, HANDLER = ("up, again start", "seconds"), ("up, first start", "seconds"), ("app.lambda_handler", "ratio")
ROWS: Final = (
    Row("ingest", "without vectors", "pages/CPU-s", "more", 40, FILES, (("pages a second, without vectors",),)),
    Row("ingest", "with vectors, to the embedder", "times", "less", 1.3, FILES, (("times the embedder alone",),)),
    *(
        Row("api", f"CPU of {kind}, to Starlette + asyncpg", "times", "less", goal, "api", (("ratio", kind),))
        for kind, goal in KINDS.items()
    ),
    Row("api", "logs and metrics of a request", "ms", "less", 0.15, "api", OBSERVED, scale=MICROSECOND),
    Row("start", "`up` on its data folder", "s", "less", 6, "cold_start", (AGAIN,)),
    Row("start", "`up` on a new data folder", "s", "less", 6, "cold_start", (NEW,), gated=False),
    Row("start", "Lambda handler, to bare FastAPI", "times", "less", 1.5, "cold_start", (HANDLER,)),
)


def benchmarked(folder: Path | None, *, run: bool) -> Iterator[Figure]:
    """Each figure: measured if `run`, where the benchmarks are there. `folder` is the evaluation set.

    How fast files are read is only measured on a set with real ones: of a page or two, other things take the time.
    """
    known: dict[str, Any] = {}
    run = run and find_spec(MODULE.partition(".")[0]) is not None and find_spec(MODULE) is not None
    documents = folder / "pdf" if folder and (folder / "pdf").is_dir() else None
    for row in ROWS:
        if run and row.benchmark not in known and (documents or row.benchmark != FILES):
            known[row.benchmark] = _printed(row.benchmark, documents)
        yield row.figure(known.get(row.benchmark))


def _printed(benchmark: str, documents: Path | None) -> Any:
    options = ("--files", str(documents)) if benchmark == FILES else ()
    command = [sys.executable, "-m", f"{MODULE}.{benchmark}", "--json", *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  ours
    return json.loads(done.stdout.splitlines()[-1])
