"""The figures of finding and answering on the small set that comes with us, held to their goals."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from app.cli.benchmarks import ROWS, benchmarked
from app.rag.asked import take_apart
from app.rag.confidence import ALONE, evidence, lead
from app.rag.evaluation import defences
from app.rag.evaluation.dataset import read_set
from app.rag.evaluation.figures import HELD_OUT, Figure
from app.rag.scope import Scope
from app.rag.shelving import open_shelves
from app.rag.signals import gather
from tests.cli.test_commands import lifevault
from tests.rag.papers import PAPERS, WordEmbedder, make_shard

AREAS = ("retrieval", "abstention", "citation", "leak", "injection", "speed", "held out", "ingest", "api", "start")
PASSPORT, *OTHERS = (
    make_shard(title, PAPERS[title], WordEmbedder()).shard for title in ("Passport of Zoë Müller", *sorted(PAPERS)[:3])
)
SMALL = Path(defences.__file__).parent / "small"


@pytest.mark.slow
def test_the_small_set_reaches_every_goal(tmp_path: Path):
    code, output = lifevault(tmp_path, "eval", "--gate", "--json")

    assert code == 0, output
    figures = json.loads(output[output.index("[") :])
    areas = {figure["area"] for figure in figures}
    measured = [figure for figure in figures if figure["value"] is not None]
    assert {figure["area"] for figure in measured} == {*AREAS} - {"ingest", "api", "start"}
    assert all(figure["count"] for figure in measured)
    assert areas == {*AREAS}
    assert all(figure["measured_by"] for figure in figures if figure["value"] is None)


@pytest.mark.slow
def test_a_goal_that_is_missed_ends_the_command_with_1(tmp_path: Path):
    folder = tmp_path / "set"
    (folder / "family").mkdir(parents=True)
    for name in ("family/corpus.jsonl", "unanswerable.jsonl"):
        (folder / name).write_text((SMALL / name).read_text())
    questions = [json.loads(line) for line in (SMALL / "family/queries.jsonl").read_text().splitlines()][:6]
    wrong = [{**each, "relevant_ids": ["school#001"], "doc_id": "school"} for each in questions]
    (folder / "family/queries.jsonl").write_text("\n".join(map(json.dumps, wrong)))

    gated, output = lifevault(tmp_path, "eval", folder, "--gate")
    shown, table = lifevault(tmp_path, "eval", folder)

    assert (gated, shown) == (1, 0)
    assert "Missed: retrieval, nDCG@10" in output
    assert "MISSED" in table


def test_a_folder_without_a_set_is_refused_with_the_reason(tmp_path: Path):
    code, output = lifevault(tmp_path, "eval", tmp_path)

    assert (code, "corpus.jsonl" in output) == (1, True)


def test_the_small_set_is_sound():
    data = read_set(SMALL)

    assert (len(data.documents), len(data.questions), len(data.unanswerable)) == (14, 36, 18)
    for question in data.questions:
        (name,) = question.relevant
        assert question.answers[0] in data.by_name[question.document].passages[name]


@pytest.mark.parametrize(
    ("value", "better", "reached"), [(80, "more", True), (79.9, "more", False), (81, "less", False)]
)
def test_a_goal_is_reached_or_not(value: float, better: str, reached: bool):
    assert Figure("area", "name", value, "%", 80, better, 1).reached is reached


def test_what_is_not_measured_here_names_the_benchmark_that_does():
    figures = list(benchmarked(None, run=False))

    assert {figure.value for figure in figures} == {None}
    assert not any(figure.reached for figure in figures)
    for figure in figures:
        assert find_spec(figure.measured_by.removeprefix("python -m ")) is not None


def test_of_several_places_in_what_a_benchmark_prints_the_worst_counts():
    row = next(row for row in ROWS if row.name.startswith("logs"))

    figure = row.figure({"logs, metrics": {"list 20": 81.5, "get": 160.2, "create": 12.0}})

    assert (figure.value, figure.unit, figure.reached) == (0.16, "ms", False)
    with pytest.raises(KeyError):
        row.figure({"something else": {}})


def test_the_held_out_set_is_sound_and_shares_no_paper_with_the_small_one():
    data, small = read_set(HELD_OUT), read_set(SMALL)

    assert (len(data.documents), len(data.questions), len(data.unanswerable)) == (20, 115, 104)
    for question in data.questions:
        (name,) = question.relevant
        assert question.answers[0] in data.by_name[question.document].passages[name]
    assert not {each.title for each in data.documents} & {each.title for each in small.documents}


def test_a_passage_stands_out_only_among_others_that_are_less_alike():
    assert lead(np.array([1.0, 4.0, 2.5])) == {"relevance": 4.0, "lead": 1.5}
    assert lead(np.array([2.0])) == {"relevance": 2.0, "lead": ALONE}
    question = "When does Zoe's passport run out?"
    embedder = WordEmbedder()
    alone, among = (
        evidence(gather(take_apart(Scope(open_shelves(shards)), question, embedder.embed_query(question), embedder)), 0)
        for shards in ([PASSPORT], [PASSPORT, *OTHERS])
    )
    assert alone["stands_out"] < among["stands_out"]
    assert among["stands_out"] > 0.5
