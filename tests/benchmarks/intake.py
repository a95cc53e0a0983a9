"""What is proposed to be filed of household papers: `python -m tests.benchmarks.intake --eval DIR [--json]`.

Every paper of the set's folder `family` is read for fields, given a type by its words, and filled into a record, as the
product does it. Expiry dates and document numbers are compared with those that stand in the text by patterns of this
set alone: what follows words like "Date of expiry", and marks like "VB1598154". A number that is none of these marks
counts as right if it is one of the other kinds that the set has (plates, customer numbers, last digits of a card,
codes of doors), and is not looked for.
"""

import argparse
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from app.agents.intake.mapping import LEAST_CONFIDENCE, fill
from app.rag.document import Page
from app.rag.evaluation.dataset import Document, read_set
from app.rag.fields.extract import extract
from app.rag.fields.shapes import Field, FieldKind
from app.rag.reader.pages import paginate
from app.rag.types.classifier import guess_type
from app.rag.types.known import names
from app.vault.types import record_types

GOALS: Final = {"precision": 0.95, "recall": 0.85}
ENDS: Final = ("expires", "renews")
_DATE: Final = (
    r"\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December) \d{4}"
)
_EXPIRY: Final = re.compile(
    rf"(?:Date of expiry|[Ee]xpires?(?: on)?|[Vv]alid(?:ity)?(?: until| to)?|until|{_DATE} to|[Ee]nds? on|"
    rf"[Mm]atures on|[Rr]enew\w*(?: on)?)[: ]+({_DATE})"
)
_MARK: Final = re.compile(r"\b[A-Z]{2}\d{7}\b")
_OTHER: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z]{3}|\d{9}|\d{4}")


def standing(text: str) -> dict[str, set[str]]:
    """What is to be found in a paper."""
    dates = {
        field.value for found in _EXPIRY.findall(text) for field in fields_of(found) if field.kind is FieldKind.DATE
    }
    return {"expiry": dates, "number": set(_MARK.findall(text))}


def fields_of(text: str) -> list[Field]:
    pages = [Page(number, page) for number, page in enumerate(paginate(text), 1)]
    return [field for on_page in extract(pages, "en").values() for field in on_page]


def read(fields: list[Field]) -> dict[str, set[str]]:
    """What is read, surely enough to be proposed."""
    sure = [field for field in fields if field.confidence >= LEAST_CONFIDENCE]
    return {
        "expiry": {field.value for field in sure if field.kind is FieldKind.DATE and field.role in ENDS},
        "number": {field.value for field in sure if field.kind is FieldKind.NUMBER and field.role != "other"},
    }


def proposed(document: Document, fields: list[Field]) -> dict[str, set[str]]:
    """What stands in the record that is proposed."""
    guess = guess_type(document.title, document.text, fields, None, names())
    record_type = record_types().get(guess.type or "")
    return read([each.source for each in (fill(record_type, fields) if record_type else [])])


def measure(documents: list[Document]) -> dict[str, dict[str, float]]:
    """Precision, recall, and how many there are, of what is read and of what is proposed."""
    counts: Counter[tuple[str, str]] = Counter()
    for document in documents:
        fields, wanted = fields_of(document.text), standing(document.text)
        for stage, found in (("read", read(fields)), ("proposed", proposed(document, fields))):
            for kind, values in found.items():
                wrong = {value for value in values - wanted[kind] if kind == "expiry" or not _OTHER.fullmatch(value)}
                name = f"{kind}, {stage}"
                counts[name, "right"] += len(values & wanted[kind])
                counts[name, "wrong"] += len(wrong)
                counts[name, "all"] += len(wanted[kind])
    return {
        name: {
            "precision": counts[name, "right"] / (counts[name, "right"] + counts[name, "wrong"]),
            "recall": counts[name, "right"] / counts[name, "all"],
            "of": float(counts[name, "all"]),
        }
        for name in dict.fromkeys(name for name, _ in counts)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = os.environ.get("LIFEVAULT_EVAL")
    parser.add_argument("--eval", type=Path, default=default, required=default is None, help="the evaluation set")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure([document for document in read_set(arguments.eval).documents if document.folder == "family"])
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    goals = ", ".join(f"{name} {goal}" for name, goal in GOALS.items())
    sys.stdout.write(f"{'goals: ' + goals:40}{'precision':>10}{'recall':>10}{'of':>6}\n")
    for name, found in result.items():
        sys.stdout.write(f"{name:40}{found['precision']:>10.3f}{found['recall']:>10.3f}{found['of']:>6.0f}\n")


if __name__ == "__main__":
    main()
