"""What there is to find in papers."""

import calendar
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from app.agents.checks.gathering import Papers, type_of
from app.agents.checks.schemas import Evidence, Finding, Kind, Urgency
from app.agents.intake.mapping import Filled, fill
from app.rag.reading import DocumentFields
from app.vault.schemas.items import ItemRead
from app.vault.types import RecordField, RecordType, record_types

SOON: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=120)
BELIEVED: Final = 0.8
"""The confidence from which a field of a document may contradict a record."""
ESSENTIAL: Final = (
    (("will",), "No will is recorded."),
    (("power_of_attorney",), "No power of attorney is recorded: nobody can act for you if you can't."),
    (("living_will",), "No living will is recorded."),
    (("passport", "national_id"), "No passport or identity card is recorded."),
    (("health_insurance",), "No health insurance is recorded."),
    (("bank_account",), "No bank account is recorded."),
    (("contact",), "No contact is recorded: whom should somebody call?"),
)
_ORDER: Final[dict[Urgency, int]] = {"now": 0, "soon": 1, "later": 2}
_FAR: Final = date.max


def find(papers: Papers, today: date) -> list[Finding]:
    """Everything, the most urgent first, then by date."""
    found = [
        *_ending(papers, today),
        *_contradicting_documents(papers),
        *_contradicting_records(papers),
        *_unfiled(papers, today),
        *_incomplete(papers),
        *_missing(papers),
    ]
    return sorted(found, key=lambda each: (_ORDER[each.urgency], each.due_on or _FAR))


def _finding(kind: Kind, urgency: Urgency, text: str, *records: ItemRead, **more: Any) -> Finding:
    known: dict[str, Any] = {"document_ids": [], "field": None, "due_on": None, "evidence": []}
    ids = [record.id for record in records]
    return Finding.model_validate({**known, **more, "kind": kind, "urgency": urgency, "text": text, "item_ids": ids})


def deadlines(record: ItemRead) -> Iterator[tuple[RecordField, date]]:
    """The dates of a record by which somebody has to do something."""
    kind = type_of(record)
    for field in kind.fields if kind else ():
        if kind and field.name in kind.deadlines and (day := _day(record.fields.get(field.name))):
            yield field, day


def _day(value: Any) -> date | None:
    """The day of a date, or the last one of a month."""
    try:
        if isinstance(value, str) and len(value) == len("2031-05"):
            year, month = int(value[:4]), int(value[5:])
            return date(year, month, calendar.monthrange(year, month)[1])
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _ending(papers: Papers, today: date) -> Iterator[Finding]:
    for record in papers.records:
        for field, day in deadlines(record):
            about = {"field": field.name, "due_on": day}
            said = f"{record.title}: {field.label.lower()} {_written(day)}"
            if day < today and field.role == "expires":
                yield _finding("expired", "now", f"{said}, which is past.", record, **about)
            elif today <= day <= today + AHEAD:
                yield _finding("expiring", "now" if day <= today + SOON else "soon", f"{said}.", record, **about)


def _written(day: date) -> str:
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"


def _incomplete(papers: Papers) -> Iterator[Finding]:
    for record in papers.records:
        kind = type_of(record)
        if record.missing and kind:
            labels = [field.label.lower() for field in kind.fields if field.name in record.missing]
            text = f"{record.title} lacks: {', '.join(labels)}."
            yield _finding("incomplete", "later", text, record, field=record.missing[0])


def _missing(papers: Papers) -> Iterator[Finding]:
    for types, text in ESSENTIAL:
        if any(name in record_types() for name in types) and not papers.of_types(*types):
            looks_like = papers.unfiled(*types)
            ids = [each.document_id for each in looks_like]
            more = " A document looks like it: file it." if ids else ""
            yield _finding("missing", "later", text + more, document_ids=ids)


def _unfiled(papers: Papers, today: date) -> Iterator[Finding]:
    """Documents that tell of a day soon, while nobody has filed them."""
    for proposal in papers.open:
        for reminder in proposal.reminders:
            if today <= reminder.due_on <= today + AHEAD:
                place = {
                    "document_id": proposal.document_id,
                    "version_id": proposal.version_id,
                    "title": proposal.title,
                }
                yield _finding(
                    "unfiled",
                    "now" if reminder.due_on <= today + SOON else "soon",
                    f"{proposal.title} tells of {_written(reminder.due_on)} and is not filed yet.",
                    document_ids=[proposal.document_id],
                    due_on=reminder.due_on,
                    evidence=[{**place, **reminder.place.model_dump()}],
                )


def _contradicting_documents(papers: Papers) -> Iterator[Finding]:
    """Records that say something else than the document that they were made of."""
    by_id = {record.id: record for record in papers.records}
    for document_id, item_id in papers.filed.items():
        record, document = by_id[item_id], papers.documents.get(document_id)
        kind = type_of(record)
        for told in fill(kind, document.fields) if kind and document else ():
            known = record.fields.get(told.name)
            if (
                document
                and kind
                and known is not None
                and told.source.confidence >= BELIEVED
                and differ(known, told.value)
            ):
                yield _contradiction(record, kind, document, told)


def _contradiction(record: ItemRead, kind: RecordType, document: DocumentFields, told: Filled) -> Finding:
    label = next(field.label for field in kind.fields if field.name == told.name).lower()
    text = f"{record.title}: the record and its document say different things about: {label}."
    ids = {"document_ids": [document.document_id], "field": told.name}
    return _finding("contradiction", "soon", text, record, **ids, evidence=[_evidence(document, told)])


def _evidence(document: DocumentFields, told: Filled) -> Evidence:
    source = told.source
    return Evidence(
        document_id=document.document_id,
        version_id=document.version_id,
        title=document.title,
        page=source.page,
        start=source.start,
        end=source.end,
        quote=source.text,
    )


def differ(one: Any, other: Any) -> bool:
    """Whether two values mean different things: spaces, marks and case don't, and 12.5 is 12.50."""
    return bool(_meaning(one) != _meaning(other))


def _meaning(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value.get("amount", 0)), value.get("currency")
    if isinstance(value, str):
        return "".join(filter(str.isalnum, value.casefold()))
    return float(value) if isinstance(value, int | float) else value


def _contradicting_records(papers: Papers) -> Iterator[Finding]:
    """Records that say different things about one person's birth, or of one number about its dates."""
    births: dict[str, list[ItemRead]] = defaultdict(list)
    numbers: dict[tuple[str, str], list[ItemRead]] = defaultdict(list)
    for record in papers.records:
        name, born = record.fields.get("full_name"), record.fields.get("born_on")
        if isinstance(name, str) and isinstance(born, str):
            births[_meaning(name)].append(record)
        number = record.fields.get("number") or record.fields.get("policy_number")
        if isinstance(number, str):
            numbers[record.type, _meaning(number)].append(record)
    for group in births.values():
        yield from _at_odds(group, "born_on", "date of birth")
    for group in numbers.values():
        for name, label in (("expires_on", "end"), ("renews_on", "renewal"), ("issued_on", "date of issue")):
            yield from _at_odds(group, name, label)


def _at_odds(records: list[ItemRead], name: str, label: str) -> Iterator[Finding]:
    said = {record.fields[name] for record in records if isinstance(record.fields.get(name), str)}
    if len(said) > 1:
        titles = " and ".join(dict.fromkeys(record.title for record in records if name in record.fields))
        text = f"{titles} say different things about one {label}."
        yield _finding("contradiction", "soon", text, *records, field=name)
