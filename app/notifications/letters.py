"""From a template and its context to a message."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.auth.service import envelope_email

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be said to whom: `template` is the name of a text in `templates`, `context` its gaps.

    A gap is a text, or a list or an object of texts.
    """

    to: str
    template: str
    context: dict[str, Any]


def is_template(name: str) -> bool:
    """Whether there is a text of this name."""
    return name.isidentifier() and (TEMPLATES / f"{name}.txt").is_file()


def compose(letter: Letter, *, mail_id: UUID, written_at: datetime, sender: str, public_url: str) -> EmailMessage:
    """The message, as text and as HTML; the same `mail_id` gives the same Message-ID.

    Raises `ValueError` for an address that can't stand in a header, and jinja2's `UndefinedError` for a gap that was
    left open.
    """
    subject, actions, body = _text(letter, public_url)
    name, address = parseaddr(sender)
    local_part, _, domain = envelope_email(letter.to).rpartition("@")
    message = EmailMessage(policy=SMTP if local_part.isascii() else SMTPUTF8)
    message["Subject"] = subject
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(username=local_part, domain=domain)
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = f"<{mail_id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message.set_content(body, cte="quoted-printable")
    page = _templates().get_template("layout.html")
    html = page.render(subject=subject, paragraphs=_paragraphs(body, actions, f"{public_url}/"))
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _text(letter: Letter, public_url: str) -> tuple[str, list[str], str]:
    """Subject, words on the buttons, body. Gaps are filled with single lines, so that nobody can write a header."""
    gaps = {name: _in_one_line(value) for name, value in letter.context.items()}
    text = _templates().get_template(f"{letter.template}.txt").render(gaps, public_url=public_url)
    head, _, body = text.partition("\n\n")
    subject, action = head.split("\n")
    return subject.removeprefix("Subject: "), action.removeprefix("Action: ").split("|"), body.strip() + "\n"


def _in_one_line(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_one_line(each) for name, each in value.items()}
    return [_in_one_line(each) for each in value] if isinstance(value, list) else " ".join(value.split())


def _paragraphs(body: str, actions: list[str], base: str) -> list[tuple[str, str]]:
    """The paragraphs, those that are links with the words on their button: the last words do for all further ones."""
    texts = [" ".join(paragraph.split()) for paragraph in body.split("\n\n") if paragraph.strip()]
    links = [index for index, text in enumerate(texts) if text.startswith(base)]
    return [
        (text, actions[min(links.index(index), len(actions) - 1)] if index in links else "")
        for index, text in enumerate(texts)
    ]


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 (only the worker needs it)

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
    )
