"""The figures of finding and answering on the small set that comes with us, held to their goals."""

import json
from pathlib import Path

import pytest

from app.rag.evaluation import defences
from app.rag.evaluation.dataset import read_set
from app.rag.evaluation.figures import Figure
from tests.cli.test_commands import lifevault

AREAS = ("retrieval", "abstention", "citation", "leak", "injection", "speed", "ingest", "api", "start")
SMALL = Path(defences.__file__).parent / "small"


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
