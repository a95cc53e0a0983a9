"""Pieces of the pages for nominees: what is released, what is going on, records and documents."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any
from uuid import UUID

from app.core.html import form, hidden
from app.nominees.schemas.visits import CaseForNominee, PlanForNominee, Released
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.items import ItemRead

PAGES = "/v1/nominees/pages"
NOTE = '<label>What you want to add<textarea name="note" maxlength="2000"></textarea></label>'
WORDS = {
    "suspected": "A release has been asked for, or its owner was not seen for long. The owner is being warned.",
    "reminding": "The owner is being warned, three times.",
    "confirming": "A word is waited for that the owner wants to be heard.",
    "waiting": "The last waiting period is running.",
    "released": "It is released.",
    "stopped": "It was stopped.",
}


def _day(at: datetime | None) -> str:
    return f"{at.day} {at:%B %Y}" if at else ""


def releases_of(released: Released, visit: str) -> str:
    """What is released: messages, and a button for each vault."""
    parts = []
    for each in released.releases:
        more = f" More follows on {_day(each.next_stage_at)}." if each.next_stage_at else ""
        parts.append(f"<h2>Released to you</h2><p>You can read it until {_day(each.ends_at)}.{more}</p>")
        parts += [f"<p>{escape(line)}</p>" for line in each.message.splitlines()]
    for vault in released.vaults:
        fields = hidden(visit=visit, vault_id=vault.id)
        parts.append(f"<h3>{escape(vault.name)}</h3>")
        if vault.tier == "sealed":
            parts.append("<p>Only a client opens this vault, with the sheets of its owner.</p>")
        parts += [form(f"{PAGES}/items", f"{vault.items} records", fields)] if vault.items else []
        parts += [form(f"{PAGES}/documents", f"{vault.documents} documents", fields)] if vault.documents else []
    return "".join(parts)


def case_of_plan(plan: PlanForNominee, visit: str) -> str:
    """What is going on in a plan, and what the nominee may do."""
    case = plan.case
    if case is None:
        return (
            form(f"{PAGES}/ask", "Ask for the release", hidden(visit=visit, plan_id=plan.id))
            if plan.may_be_asked
            else ""
        )
    parts = [f"<h2>{WORDS.get(case.state, '')}</h2>"]
    if case.due_at and case.state != "stopped":
        parts.append(f"<p>It goes on on {_day(case.due_at)}, unless the owner stops it.</p>")
    return "".join([*parts, *_wanted(case, visit)])


def _wanted(case: CaseForNominee, visit: str) -> Iterable[str]:
    fields = hidden(visit=visit, case_id=case.id)
    if case.confirmation_wanted:
        yield form(f"{PAGES}/confirm", "Yes, let it go on", fields + hidden(answer="yes"))
        yield form(f"{PAGES}/confirm", "No, stop it", fields + hidden(answer="no"), kind="no")
    if case.attestation_wanted:
        said = f"{len(case.attestations)} of {case.attestations_needed} attest"
        yield f"<p>{len(case.proofs)} proofs are there, {said}.</p>"
        yield form(f"{PAGES}/proofs", "Upload a proof", f'{fields}<input type="file" name="file" required>', files=True)
        if case.proofs:
            yield form(f"{PAGES}/attest", "I attest that the owner has died", fields + NOTE)


def items_of(items: Sequence[ItemRead], last: UUID | None, vault_id: UUID, visit: str) -> str:
    """Records with all their fields."""
    parts = []
    for item in items:
        pairs = [*item.fields.items(), *([("notes", item.notes)] if item.notes else [])]
        fields = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_text(value))}</dd>" for name, value in pairs)
        parts.append(f"<h2>{escape(item.title)}</h2><dl>{fields}</dl>")
    return "".join(parts) + _more("items", last, vault_id, visit)


def _text(value: Any) -> str:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else str(value)


def documents_of(documents: Sequence[DocumentRead], last: UUID | None, vault_id: UUID, visit: str) -> str:
    """Documents, each with a button to download it."""
    parts = []
    for document in documents:
        fields = hidden(visit=visit, vault_id=vault_id, document_id=document.id)
        parts.append(f"<h2>{escape(document.title)}</h2>" + form(f"{PAGES}/content", document.name, fields))
    return "".join(parts) + _more("documents", last, vault_id, visit)


def _more(kind: str, last: UUID | None, vault_id: UUID, visit: str) -> str:
    back = form(f"{PAGES}/visit", "Back", hidden(visit=visit), kind="no")
    if last is None:
        return back
    return form(f"{PAGES}/{kind}", "Show more", hidden(visit=visit, vault_id=vault_id, after=last)) + back
