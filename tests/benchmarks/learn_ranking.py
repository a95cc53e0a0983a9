"""Learns `app/rag/weights.py`: `python -m tests.benchmarks.learn_ranking --eval DIR [--cache DIR] [--write]`.

Every question is asked of the whole set and of small vaults drawn around its document (it must not matter how many
papers a family keeps), and of the same small vaults without that document, where the honest answer is "not found". The
re-rank is linear, learned by a softmax over each question's candidates; the chance that a question is answerable is a
logistic regression on its best candidate. Both are judged by five-fold cross-validation in which all questions about
one document fall into one fold; what is printed are figures of documents that the weights have not seen.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.rag import weights
from app.rag.asked import take_apart
from app.rag.confidence import evidence
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
LOST = 0.035
"""The threshold is put where this share of the answerable questions of the whole set is lost; the goal is 5 %."""

Floats = NDArray[np.float64]
Table = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A question asked of a vault: features of its candidates, best fused score first."""

    question: Question
    whole: bool
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
        learned[dense] = learn(cases)
        report(cases, dense=dense)
    embedder.save()
    text = render(learned)
    if arguments.write:
        Path(weights.__file__).write_text(text, encoding="utf-8")
    else:
        say(text)


def make_cases(data: EvaluationSet, papers: list[Paper], embedder: Embedder | None) -> list[Case]:
    chance = np.random.default_rng(7)
    number = {document.name: at for at, document in enumerate(data.documents)}
    cases = []
    for question in data.questions:
        home = number[question.document]
        cases.append(make_case(data, papers, question, range(len(papers)), embedder))
        for size in chance.choice(SMALL_VAULTS, 2, replace=False):
            folder = question.folder if chance.random() < 0.5 else ""
            others = [at for at, d in enumerate(data.documents) if at != home and d.folder.startswith(folder)]
            vault = sorted(chance.choice(others, min(int(size), len(others)), replace=False).tolist())
            cases.append(make_case(data, papers, question, vault, embedder))
            cases.append(make_case(data, papers, question, sorted([*vault[1:], home]), embedder))
    cases += [make_case(data, papers, question, range(len(papers)), embedder) for question in data.unanswerable]
    return cases


def make_case(
    data: EvaluationSet, papers: list[Paper], question: Question, vault: Sequence[int], embedder: Embedder | None
) -> Case:
    vector = embedder.embed_query(question.text) if embedder else None
    scope = Scope(open_shelves(papers[at].shard for at in vault))
    signals = gather(take_apart(scope, question.text, vector, embedder))
    candidates = np.lexsort((np.arange(len(signals.fused)), -signals.fused))[:CANDIDATES]
    texts = [text for at in vault for text in data.documents[at].passages.values()]
    found = features(signals, candidates, [texts[candidate] for candidate in candidates])
    names = [name for at in vault for name in data.documents[at].passages]
    relevant = np.array([names[candidate] in question.relevant for candidate in candidates])
    return Case(
        question,
        len(vault) == len(papers),
        not question.relevant.isdisjoint(names),
        list(found),
        np.stack(list(found.values()), axis=1),
        relevant,
        len(question.relevant) - int(relevant.sum()),
        [evidence(signals, int(candidate)) for candidate in candidates[:20]],
    )


def learn(cases: list[Case]) -> tuple[Table, Table]:
    relevance = learn_relevance([case for case in cases if case.answerable])
    confidence, threshold = learn_confidence(cases, relevance)
    confidence[""] -= threshold
    return relevance, confidence


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
    share = np.array([1.0 if case.whole else 0.5 for case in cases])
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


def learn_confidence(cases: list[Case], relevance: Table) -> tuple[Table, float]:
    rows = [best_evidence(case, relevance) for case in cases]
    inputs = np.array([list(row.values()) for row in rows])
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    answerable = np.array([case.answerable for case in cases])
    whole = np.array([case.whole for case in cases])
    share = np.zeros(len(cases))
    for group, importance in ((whole, 2.0), (~whole, 1.0)):
        for outcome in (answerable, ~answerable):
            share[group & outcome] = importance / max((group & outcome).sum(), 1)
    weight, shift = logistic((inputs - middle) / spread, answerable, share)
    raw = weight / spread
    table = {**dict(zip(rows[0], raw.tolist(), strict=True)), "": float(shift - raw @ middle)}
    sums = np.sort([weigh(row, table) for row, case in zip(rows, cases, strict=True) if is_main(case)])
    return table, float(sums[int(LOST * len(sums))])


def is_main(case: Case) -> bool:
    return case.whole and case.answerable


def best_evidence(case: Case, relevance: Table) -> Table:
    """What `search` knows about the best passage; in training among the first twenty candidates."""
    sums = relevances(case, relevance)[: len(case.evidence)]
    best = int(sums.argmax())
    return case.evidence[best] | {"relevance": float(sums[best])}


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


def report(cases: list[Case], *, dense: bool) -> None:
    names = sorted({case.question.document for case in cases})
    fold = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % FOLDS, strict=True))
    scores, small = Scores(), Scores()
    lost: list[bool] = []
    caught: list[bool] = []
    lost_small: list[bool] = []
    caught_small: list[bool] = []
    for held_out in range(FOLDS):
        relevance, confidence = learn([case for case in cases if fold[case.question.document] != held_out])
        for case in cases:
            if fold[case.question.document] != held_out:
                continue
            if case.answerable:
                order = np.argsort(-relevances(case, relevance), kind="stable")
                ranked = [("found", int(at)) if case.relevant[at] else None for at in order]
                wanted = {("found", int(at)) for at in np.flatnonzero(case.relevant)}
                (scores if case.whole else small).add(ranked, wanted | {("missed", at) for at in range(case.missed)})
            sure = weigh(best_evidence(case, relevance), confidence) >= 0
            verdicts = (lost, caught) if case.whole else (lost_small, caught_small)
            verdicts[0 if case.answerable else 1].append(not sure)
    say(f"{'with' if dense else 'without'} vectors, held-out documents")
    say(f"  whole set     {scores.means()}")
    say(f"  small vaults  {small.means()}")
    say(f"  not found: {np.mean(caught):.1%} of the unanswerable, {np.mean(lost):.1%} of the answerable")
    say(f"  in small vaults: {np.mean(caught_small):.1%} and {np.mean(lost_small):.1%}")


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
