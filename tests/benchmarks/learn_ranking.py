"""Learns `app/rag/weights.py`: `python -m tests.benchmarks.learn_ranking --eval DIR [--cache DIR] [--write]`.

Every question is asked of the whole set and of small vaults drawn around its document (it must not matter how many
papers a family keeps), and of the same small vaults without that document, where the honest answer is "not found"; so
it is where the passages with the answer are taken out and the rest of the document stays. The re-rank is linear,
learned by a softmax over each question's candidates; the chance that a question is answerable is a logistic regression
on its best candidate. Both are judged by five-fold cross-validation in which all questions about one document fall into
one fold; what is printed are figures of documents that the weights have not seen, and the threshold is put by them.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.rag import weights
from app.rag.asked import take_apart
from app.rag.confidence import evidence, lead
from app.rag.embedder import Embedder
from app.rag.evaluation.dataset import (
    EvaluationSet,
    Question,
    Scores,
    passage_paper,
    read_set,
)
from app.rag.evaluation.library import Paper
from app.rag.features import features
from app.rag.ranking import CANDIDATES, weigh
from app.rag.scope import Scope
from app.rag.shelving import open_shelves
from app.rag.signals import gather
from tests.benchmarks.cached import make_embedder

FOLDS = 5
SMALL_VAULTS = (1, 2, 3, 6, 15, 40)
EVIDENT = 20
"""So many candidates may be the best one in the end; for those it is known what speaks for them."""
LOST = 0.025
"""The threshold is put where this share of the answerable questions of the whole set is lost, by weights that have not
seen their documents; the goal is 5 %. The other half is for documents and questions of other kinds than these."""
IMPORTANCE = {"whole": 2.0, "foreign": 8.0, "small": 2.0, "taken out": 0.3}
"""How much each group of cases weighs, its answerable and its unanswerable ones alike and each kind of paper alike.

Cases whose answer was taken out weigh little: other passages of their documents often say the same."""

Floats = NDArray[np.float64]
Table = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A question asked of a vault: features of its candidates, best fused score first."""

    question: Question
    group: str
    answerable: bool
    names: list[str]
    features: Floats
    relevant: NDArray[np.bool_]
    missed: int
    evidence: list[Table]


def main() -> None:
    arguments = _arguments()
    data = read_set(arguments.eval)
    embedder = make_embedder(arguments.cache)
    papers = [passage_paper(document, embedder) for document in data.documents]
    learned = {}
    for dense in (True, False):
        cases = make_cases(data, papers, embedder if dense else None)
        judged = held_out(cases)
        threshold = threshold_of(judged)
        report(judged, threshold, dense=dense)
        learned[dense] = learn(cases)
        learned[dense][1][""] -= threshold
    embedder.save()
    text = render(learned)
    if arguments.write:
        Path(weights.__file__).write_text(text, encoding="utf-8")
    else:
        say(text)


def make_cases(data: EvaluationSet, papers: list[Paper], embedder: Embedder | None) -> list[Case]:
    chance = np.random.default_rng(7)
    everything = Scope(open_shelves(paper.shard for paper in papers))
    number = {document.name: at for at, document in enumerate(data.documents)}
    cases = []
    for question in data.questions:
        home = number[question.document]
        cases.append(make_case(data, everything, question, range(len(papers)), embedder, "whole"))
        for size in chance.choice(SMALL_VAULTS, 2, replace=False):
            folder = question.folder if chance.random() < 0.5 else ""
            others = [at for at, d in enumerate(data.documents) if at != home and d.folder.startswith(folder)]
            vault = sorted(chance.choice(others, min(int(size), len(others)), replace=False).tolist())
            for those in (vault, sorted([*vault[1:], home])):
                scope = Scope(open_shelves(papers[at].shard for at in those))
                cases.append(make_case(data, scope, question, those, embedder, "small"))
    cases += [taken_out(case) for case in cases if case.answerable and not case.relevant.all()]
    for question in data.unanswerable:
        cases.append(make_case(data, everything, question, range(len(papers)), embedder, "foreign"))
    return cases


def make_case(
    data: EvaluationSet,
    scope: Scope,
    question: Question,
    vault: Sequence[int],
    embedder: Embedder | None,
    group: str,
) -> Case:
    vector = embedder.embed_query(question.text) if embedder else None
    signals = gather(take_apart(scope, question.text, vector, embedder))
    candidates = np.lexsort((np.arange(len(signals.fused)), -signals.fused))[:CANDIDATES]
    texts = [text for at in vault for text in data.documents[at].passages.values()]
    found = features(signals, candidates, [texts[candidate] for candidate in candidates])
    names = [name for at in vault for name in data.documents[at].passages]
    relevant = np.array([names[candidate] in question.relevant for candidate in candidates])
    return Case(
        question,
        group,
        not question.relevant.isdisjoint(names),
        list(found),
        np.stack(list(found.values()), axis=1),
        relevant,
        len(question.relevant) - int(relevant.sum()),
        [evidence(signals, int(candidate)) for candidate in candidates[:EVIDENT]],
    )


def taken_out(case: Case) -> Case:
    """The same question of the same papers, as if the passages with the answer were not there."""
    left = ~case.relevant
    known = [each for each, stays in zip(case.evidence, left, strict=False) if stays]
    return replace(
        case,
        group="taken out",
        answerable=False,
        features=case.features[left],
        relevant=case.relevant[left],
        evidence=known,
    )


def learn(cases: list[Case]) -> tuple[Table, Table]:
    relevance = learn_relevance([case for case in cases if case.answerable])
    return relevance, learn_confidence(cases, relevance)


@dataclass(frozen=True)
class Judged:
    """A case, and the weights that were learned without its document."""

    case: Case
    relevance: Table
    confidence: Table

    @property
    def sum(self) -> float:
        return float(weigh(best_evidence(self.case, self.relevance), self.confidence))


def held_out(cases: list[Case]) -> list[Judged]:
    """Every case as it is judged by weights of the other folds."""
    names = sorted({case.question.document for case in cases})
    fold = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % FOLDS, strict=True))
    judged = []
    for number in range(FOLDS):
        learned = learn([case for case in cases if fold[case.question.document] != number])
        judged += [Judged(case, *learned) for case in cases if fold[case.question.document] == number]
    return judged


def threshold_of(judged: list[Judged]) -> float:
    """The sum from which a question counts as answerable."""
    sums = np.sort([each.sum for each in judged if each.case.group == "whole" and each.case.answerable])
    return float(sums[int(LOST * len(sums))])


def learn_relevance(cases: list[Case], steps: int = 200, decay: float = 1e-2) -> Table:
    """A linear softmax over candidates (Adam), then a logistic scale that turns its sums into chances."""
    cases = [case for case in cases if case.relevant.any()]
    everything = np.concatenate([case.features for case in cases])
    middle, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-6
    inputs = np.zeros((len(cases), CANDIDATES, everything.shape[1]))
    present, target = np.zeros(inputs.shape[:2], bool), np.zeros(inputs.shape[:2])
    for at, case in enumerate(cases):
        count = len(case.features)
        inputs[at, :count] = (case.features - middle) / spread
        present[at, :count], target[at, :count] = True, case.relevant / case.relevant.sum()
    share = np.array([1.0 if case.group == "whole" else 0.5 for case in cases])
    share /= share.sum()
    weight, mean, square = np.zeros((3, inputs.shape[2]))
    for step in range(1, steps + 1):
        logits = np.where(present, inputs @ weight, -np.inf)
        chance = np.exp(logits - logits.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        gradient = np.einsum("qc,qcf->f", (chance - target) * share[:, None], inputs) + decay * weight
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        rate = 0.03 * min(1.0, 2 * (1 - step / steps) + 0.05)
        weight = weight - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    sums = inputs @ weight
    scale, shift = logistic(sums[present][:, None], target[present] > 0, np.ones(int(present.sum())))
    raw = scale[0] * weight / spread
    return {**dict(zip(cases[0].names, raw.tolist(), strict=True)), "": float(shift - raw @ middle)}


def learn_confidence(cases: list[Case], relevance: Table) -> Table:
    rows = [best_evidence(case, relevance) for case in cases]
    inputs = np.array([list(row.values()) for row in rows])
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    answerable = np.array([case.answerable for case in cases])
    sorts = [(case.group, case.answerable, case.question.folder) for case in cases]
    many = Counter(sorts)
    share = np.array([IMPORTANCE[sort[0]] / many[sort] for sort in sorts])
    weight, shift = logistic((inputs - middle) / spread, answerable, share)
    raw = weight / spread
    return {**dict(zip(rows[0], raw.tolist(), strict=True)), "": float(shift - raw @ middle)}


def best_evidence(case: Case, relevance: Table) -> Table:
    """What `search` knows about the best passage; in training among the first twenty candidates."""
    sums = relevances(case, relevance)[: len(case.evidence)]
    best = int(sums.argmax())
    return case.evidence[best] | lead(sums)


def relevances(case: Case, table: Table) -> Floats:
    total: Floats = case.features @ [table[name] for name in case.names] + table[""]
    return total


def logistic(inputs: Floats, outcome: NDArray[np.bool_], share: Floats, decay: float = 1e-3) -> tuple[Floats, float]:
    """Weighted logistic regression by Newton's method; weights and intercept."""
    design = np.column_stack([inputs, np.ones(len(inputs))])
    weight, share = np.zeros(design.shape[1]), share / share.sum()
    ridge = np.append(np.full(inputs.shape[1], decay), 1e-9)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(design @ weight, -30, 30)))
        gradient = design.T @ (share * (chance - outcome)) + ridge * weight
        curve = (design * (share * chance * (1 - chance))[:, None]).T @ design + np.diag(ridge)
        weight = weight - np.linalg.solve(curve, gradient)
    return weight[:-1], float(weight[-1])


def report(judged: list[Judged], threshold: float, *, dense: bool) -> None:
    say(f"{'with' if dense else 'without'} vectors, held-out documents")
    for group in ("whole", "small"):
        scores = Scores()
        for each in judged:
            if each.case.group == group and each.case.answerable:
                add_ranks(scores, each)
        say(f"  ranking, {group:9} {scores.means()}")
    for group in IMPORTANCE:
        for answerable in (True, False):
            found = [e.sum < threshold for e in judged if (e.case.group, e.case.answerable) == (group, answerable)]
            if found:
                kind = "answerable" if answerable else "unanswerable"
                say(f"  not found, {group:9} {np.mean(found):6.1%} of {len(found)} {kind}")


def add_ranks(scores: Scores, judged: Judged) -> None:
    case = judged.case
    order = np.argsort(-relevances(case, judged.relevance), kind="stable")
    ranked = [("found", int(at)) if case.relevant[at] else None for at in order]
    wanted = {("found", int(at)) for at in np.flatnonzero(case.relevant)}
    scores.add(ranked, wanted | {("missed", at) for at in range(case.missed)})


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def render(learned: dict[bool, tuple[Table, Table]]) -> str:
    """The module `app/rag/weights.py` with new numbers under its old docstring."""
    lines = [f'"""{weights.__doc__}"""', ""]
    for at, name in enumerate(("RELEVANCE", "CONFIDENCE")):
        lines.append(f"{name}: dict[bool, dict[str, float]] = {{")
        for dense, tables in learned.items():
            rows = (f'        "{feature}": {value:.4g},' for feature, value in tables[at].items())
            lines += [f"    {dense}: {{", *rows, "    },"]
        lines += ["}", ""]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = os.environ.get("LIFEVAULT_EVAL")
    parser.add_argument("--eval", type=Path, default=default, required=default is None, help="the evaluation set")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="a folder for models and vectors")
    parser.add_argument("--write", action="store_true", help="write app/rag/weights.py instead of printing it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
