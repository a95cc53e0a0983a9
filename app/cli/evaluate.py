"""`lifevault eval`: how well papers are found and answered from, in one table; offline, without a key or a database."""

import json
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.work import stop_with

if TYPE_CHECKING:
    from app.rag.evaluation.figures import Figure

MISSED = 1


def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(help="An evaluation set; a small one that comes with us if left out.")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate", help="End with 1 if a goal is missed.")] = False,
    speed: Annotated[bool, typer.Option("--speed", help="Measure and judge time, among 20,000 passages.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure retrieval, abstention, citations, leaks, injections and speed on documents with questions.

    A set is a folder with folders of `corpus.jsonl` (`id`, `doc_id`, `ord`, `title`, `text`) and `queries.jsonl` (`id`,
    `question`, `doc_id`, `answers`, `relevant_ids`), and a file `unanswerable.jsonl`; see the README.
    """
    found = _measured(folder, speed=speed)
    if as_json:
        shown = [{name: getattr(each, name) for name in (*each.__slots__, "reached")} for each in found]
        typer.echo(json.dumps(shown, indent=2))
    else:
        _show(found)
    missed = [each for each in found if each.gated and each.value is not None and not each.reached]
    if gate and missed:
        typer.echo("Missed: " + ", ".join(f"{each.area}, {each.name}" for each in missed), err=True)
        raise typer.Exit(MISSED)


def _measured(folder: Path | None, *, speed: bool) -> "list[Figure]":
    from app.cli.benchmarks import benchmarked  # noqa: PLC0415  brings NumPy
    from app.rag.embedder import MiniLMEmbedder  # noqa: PLC0415
    from app.rag.evaluation.dataset import read_set  # noqa: PLC0415
    from app.rag.evaluation.figures import figures, held_out_figures  # noqa: PLC0415
    from app.rag.evaluation.known import Known  # noqa: PLC0415
    from app.rag.minilm import WeightsMissing  # noqa: PLC0415

    try:
        data = read_set(folder or Path(str(files("app.rag.evaluation").joinpath("small"))))
        embedder = Known(MiniLMEmbedder(Path(tempfile.gettempdir(), "lifevault-models"), threads=2))
        measured = figures(data, embedder, speed=speed)
        return [*measured, *held_out_figures(embedder), *benchmarked(folder, run=speed)]
    except (FileNotFoundError, ImportError, WeightsMissing) as error:
        stop_with(str(error))


def _show(found: "Sequence[Figure]") -> None:
    from rich.console import Console  # noqa: PLC0415  keeps `--help` quick
    from rich.table import Table  # noqa: PLC0415

    table = Table("", "Figure", "Measured", "Goal", "Of", "")
    for each in found:
        sign = "≥" if each.better == "more" else "≤"
        missed = "MISSED" if each.gated else "missed, not held to it"
        verdict = "" if each.value is None else "reached" if each.reached else missed
        goal = f"{sign} {each.goal:g} {each.unit}".rstrip()
        value = each.measured_by if each.value is None else f"{each.value:g} {each.unit}".rstrip()
        table.add_row(each.area, each.name, value, goal, str(each.count or ""), verdict)
    Console(width=150).print(table)
