"""A real SMTP server in a thread, and settings that lead to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from pydantic import SecretStr

from app.cli.embedded.ports import free_port
from app.db import runtime as runtime_module
from app.db.runtime import Runtime, current


@dataclass
class Mailbox:
    """Keeps what arrives; answers `refusal` instead, if there is one."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refusal: str = ""
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    def sent_to(self, address: str) -> list[EmailMessage]:
        """The messages to an address, oldest first."""
        pairs = zip(self.messages, self.recipients, strict=True)
        return [message for message, recipient in pairs if recipient == address]

    @property
    def url(self) -> SecretStr:
        """The value of `smtp_url`."""
        return SecretStr(f"smtp://127.0.0.1:{self.port}")


@contextmanager
def smtp_server(**arguments: Any) -> Iterator[Mailbox]:
    """A server on a free port."""
    mailbox = Mailbox()
    mailbox.port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **arguments)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@contextmanager
def changed_settings(**changes: Any) -> Iterator[Runtime]:
    """The runtime of this process with other settings."""
    before = current()
    settings = before.settings.model_copy(update=changes)
    for derived in ("root_key_ring", "token_key_ring", "lookup_key_bytes"):
        settings.__dict__.pop(derived, None)
    changed = replace(before, settings=settings)
    if "redis_url" not in changes:
        vars(changed)["redis"] = before.redis  # the same client, so that only one is to be closed
    runtime_module._current[:] = [changed]
    try:
        yield current()
    finally:
        runtime_module._current[:] = [before]


def text_of(message: EmailMessage) -> str:
    """The text part of a message."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(message: EmailMessage) -> str:
    """The HTML part of a message."""
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())
