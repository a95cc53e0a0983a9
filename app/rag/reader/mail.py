"""E-mail: what it says first, then every attachment, each from a page of its own."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from functools import partial
from typing import Final, cast

from app.core.sniff import HEAD_BYTES, sniff
from app.rag.reader.errors import Unreadable
from app.rag.reader.html import visible_text
from app.rag.reader.pages import PageText, ReadPage, text_pages
from app.rag.reader.text import decode

HEADERS: Final = ("From", "To", "Cc", "Date", "Subject")
MAX_DEPTH: Final = 3
MAX_ATTACHMENTS: Final = 50
# What the email package raises for headers and bodies that break the rules it knows.
MALFORMED: Final = (AttributeError, LookupError, TypeError, ValueError)


def read_mail(content: bytes, open_part: Callable[[bytes, str], list[ReadPage]], depth: int) -> list[ReadPage]:
    """The pages of a mail; `open_part` opens an attachment, `depth` counts the mails around this one.

    Attachments that can't be read, and those beyond `MAX_DEPTH` and `MAX_ATTACHMENTS`, are only named.
    """
    message = message_from_bytes(content, policy=policy.default)
    parts = list(_attachments(message))
    names = [name for name, _ in parts if name]
    header = [f"{name}: {value}" for name in HEADERS if (value := _header(message, name))]
    header += [f"Attachments: {', '.join(names)}"] if names else []
    body, language = _body(message)
    pages = text_pages(["\n".join(header) + "\n\n" + body], language)
    if depth < MAX_DEPTH:
        for name, data in parts[:MAX_ATTACHMENTS]:
            with suppress(Unreadable):
                pages += [partial(_attached, page) for page in open_part(data, sniff(data[:HEAD_BYTES], name))]
    return pages


def _attached(read_page: ReadPage) -> PageText:
    try:
        return read_page()
    except Unreadable:
        return PageText("", skipped=True)


def _header(message: Message, name: str) -> str:
    with suppress(*MALFORMED):
        return " ".join(str(message[name] or "").split())
    return ""


def _body(message: EmailMessage) -> tuple[str, str | None]:
    """The plain body, else what is visible of the one in HTML."""
    with suppress(*MALFORMED):
        part = message.get_body(("plain", "html"))
        if part is None:
            return "", None
        text = _text(part)
        return visible_text(text) if part.get_content_type() == "text/html" else (text, None)
    return "", None


def _text(part: Message) -> str:
    data = part.get_payload(decode=True)
    content = data if isinstance(data, bytes) else b""
    with suppress(LookupError, ValueError):
        return content.decode(part.get_content_charset() or "")
    return decode(content)


def _attachments(message: EmailMessage) -> Iterator[tuple[str, bytes]]:
    """Name and content of each attachment, without the pictures that belong to the layout of the body."""
    with suppress(*MALFORMED):
        for part in message.iter_attachments():
            if part.get_content_type() == "message/rfc822":
                yield part.get_filename() or "", cast(Message, part.get_payload(0)).as_bytes()
            elif part.is_multipart():
                yield from _attachments(part)
            elif not (part.get_content_maintype() == "image" and "Content-ID" in part):
                data = part.get_payload(decode=True)
                yield part.get_filename() or "", data if isinstance(data, bytes) else b""
