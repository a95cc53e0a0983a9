"""A mail catcher for development: SMTP in, a small page out, everything in memory and gone at the end.

Runs as a process of its own: `python -m app.cli.embedded.mailbox SMTP_PORT HTTP_PORT`.
"""

import asyncio
import html
import json
import re
import sys
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from http import HTTPStatus

from aiosmtpd.smtp import SMTP, Envelope, Session

from app.cli.embedded.ports import LOOPBACK

KEPT_MAILS = 200
LARGEST_MAIL_BYTES = 25 * 1024 * 1024
REQUEST_SECONDS = 5
LINK = re.compile(r"https?://[^\s<>\"']+")
HEADERS = (
    "Cache-Control: no-store\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Connection: close\r\n"
)
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>LifeVault mail</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1d2530}}
article{{border-top:1px solid #d5dbe3;padding:1rem 0}}h1{{font-size:1.4rem}}h2{{font-size:1.1rem;margin:0}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}}p{{color:#56616f;margin:0}}</style>
<h1>Mail sent by this LifeVault</h1><p>Newest first; kept in memory only. Also as <a href="/mails.json">JSON</a>.</p>
{mails}</html>"""


@dataclass(frozen=True)
class Mail:
    """One caught message; `text` and `html` are empty if it has no such part."""

    id: int
    received_at: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str


class Mailbox:
    """The last mails, newest last."""

    def __init__(self) -> None:
        self.mails: deque[Mail] = deque(maxlen=KEPT_MAILS)
        self._count = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep a message and say so."""
        content = envelope.original_content or b""
        message = message_from_bytes(content, policy=default)
        self._count += 1
        self.mails.append(
            Mail(
                id=self._count,
                received_at=datetime.now(UTC).isoformat(timespec="seconds"),
                sender=envelope.mail_from or "",
                to=tuple(envelope.rcpt_tos),
                subject=str(message.get("subject", "")),
                text=_body(message, "plain"),
                html=_body(message, "html"),
            )
        )
        return "250 kept"

    def as_json(self) -> str:
        """The mails, newest first."""
        return json.dumps([asdict(mail) for mail in reversed(self.mails)], ensure_ascii=False)

    def as_page(self) -> str:
        """The mails for people, newest first; what they contain is shown as text and never runs."""
        return PAGE.format(mails="".join(map(_article, reversed(self.mails))) or "<p>Nothing yet.</p>")

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One HTTP request of a browser on this machine."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_SECONDS)
            writer.write(self._respond(head.decode("latin-1")))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    def _respond(self, head: str) -> bytes:
        request, *fields = head.split("\r\n")
        method, path, *_ = [*request.split(" "), "", ""]
        hosts = [field.partition(":")[2].strip() for field in fields if field.lower().startswith("host:")]
        if not hosts or hosts[0].rpartition(":")[0] not in (LOOPBACK, "localhost"):
            return _response(HTTPStatus.FORBIDDEN, "text/plain", "This page answers on 127.0.0.1 only.")
        if method != "GET":
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", "Only GET.")
        if path == "/mails.json":
            return _response(HTTPStatus.OK, "application/json", self.as_json())
        if path == "/":
            return _response(HTTPStatus.OK, "text/html", self.as_page())
        return _response(HTTPStatus.NOT_FOUND, "text/plain", "Not found.")


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None or part.get_content_subtype() != kind:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown character set
        return str(part.get_payload())


def _article(mail: Mail) -> str:
    body = mail.text or mail.html
    pieces, end = [], 0
    for link in LINK.finditer(body):
        url = html.escape(link[0])
        pieces += [html.escape(body[end : link.start()]), f'<a href="{url}">{url}</a>']
        end = link.end()
    pieces.append(html.escape(body[end:]))
    origin = html.escape(f"{mail.received_at} · {mail.sender} → {', '.join(mail.to)}")
    return f"<article><h2>{html.escape(mail.subject)}</h2><p>{origin}</p><pre>{''.join(pieces)}</pre></article>\n"


def _response(status: HTTPStatus, media_type: str, text: str) -> bytes:
    body = text.encode(errors="replace")
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {media_type}; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\n{HEADERS}\r\n".encode() + body


async def serve(smtp_port: int, http_port: int) -> None:
    """Catch mail until the process is ended."""
    mailbox = Mailbox()
    protocol = partial(SMTP, mailbox, hostname="localhost", data_size_limit=LARGEST_MAIL_BYTES, enable_SMTPUTF8=True)
    smtp = await asyncio.get_running_loop().create_server(protocol, LOOPBACK, smtp_port)
    http = await asyncio.start_server(mailbox.answer, LOOPBACK, http_port)
    async with smtp, http:
        await asyncio.gather(smtp.serve_forever(), http.serve_forever())


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
