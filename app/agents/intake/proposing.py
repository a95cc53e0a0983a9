"""From what is understood of a document to a proposal. Nothing here asks a model or the network."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from app.agents.intake.mapping import LEAST_CONFIDENCE, Filled, fill
from app.agents.intake.schemas import Place, Proposal, ProposedField, ProposedReminder
from app.rag.fields.shapes import Field, FieldKind
from app.rag.understanding import Understanding
from app.vault.types import RecordType, record_types

MOST_REMINDERS: Final = 10
FARTHEST: Final = timedelta(days=366 * 40)
"""Dates beyond that are more often misread than meant."""
LONGEST_TITLE: Final = 200
_REMINDED: Final = ("expires", "renews", "due")
# What scanners, cameras and messengers call their files.
_NO_TITLE: Final = re.compile(
    r"(?:img|image|scan|scanned|dsc|dscn|doc|document|file|pxl|photo|foto|bild|screenshot|whatsapp|untitled|unbenannt|"
    r"attachment|numerisation|escaneo)?(?:[\s_.\-]*(?:image|document|file|scan|from|at))*[\s_.\-\d()]*",
    re.I,
)


def propose(understood: Understanding, today: date, before: Proposal | None = None) -> Proposal | None:
    """What to do with a document; None if there is nothing to say.

    `before` is what was accepted for an earlier version: then only what is different now is proposed.
    """
    guess = understood.guess
    record_type = record_types().get(guess.type or "")
    filled = fill(record_type, understood.fields) if record_type else []
    reminders = list(_reminders(understood.fields, filled, today))
    if before:
        known = {field.name: field.value for field in before.fields}
        filled = [each for each in filled if each.name not in known or known[each.name] != each.value]
        days = {reminder.due_on for reminder in before.reminders}
        reminders = [each for each in reminders if each.due_on not in days]
    if not (filled or reminders or (guess.type and not before)):
        return None
    return Proposal(
        type=guess.type,
        chance=guess.chance,
        others=list(guess.others),
        title=_title(understood, record_type, filled),
        fields=[_field(each) for each in filled],
        reminders=reminders,
    )


def _field(filled: Filled) -> ProposedField:
    source = filled.source
    return ProposedField(
        name=filled.name, value=filled.value, confidence=round(source.confidence, 3), place=_place(source)
    )


def _place(source: Field) -> Place:
    return Place(page=source.page, start=source.start, end=source.end, quote=source.text)


def _reminders(fields: Sequence[Field], filled: Sequence[Filled], today: date) -> Iterator[ProposedReminder]:
    """The days to come that something ends, is renewed or is due on; each once."""
    holders = {each.value: each.name for each in filled if isinstance(each.value, str)}
    seen: set[str] = set()
    for field in fields:
        if field.kind is not FieldKind.DATE or field.role not in _REMINDED or field.confidence < LEAST_CONFIDENCE:
            continue
        if field.checksum is False or len(field.value) < len("2031-05-31") or field.value in seen:
            continue
        due_on = date.fromisoformat(field.value)
        if not today <= due_on <= today + FARTHEST or len(seen) >= MOST_REMINDERS:
            continue
        seen.add(field.value)
        yield ProposedReminder.model_validate(
            {
                "kind": field.role,
                "due_on": due_on,
                "label": field.label,
                "field": holders.get(field.value),
                "place": _place(field),
            }
        )


def _title(understood: Understanding, record_type: RecordType | None, filled: Sequence[Filled]) -> str:
    """What the person called it, unless a machine did; then its type, and whose it is or who made it."""
    title = " ".join(understood.title.replace("_", " ").split())
    if record_type is None or not _NO_TITLE.fullmatch(title):
        return title[:LONGEST_TITLE]
    values = {each.name: each.value for each in filled if isinstance(each.value, str)}
    names = ("full_name", "holder", "person", "testator", "insured", "insurer", "registration", "provider", "employer")
    about = next((values[name] for name in names if name in values), "")
    return f"{record_type.label}, {about}"[:LONGEST_TITLE].rstrip(", ")
