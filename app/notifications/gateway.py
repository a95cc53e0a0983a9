"""The way out: SMTP, encrypted wherever the server can be told apart from a local catcher."""

from email.message import EmailMessage
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from app.core.config import Settings

TIMEOUT_SECONDS = 10
SUBMISSION_PORT = 587
SUBMISSIONS_PORT = 465
PERMANENT = range(500, 600)


class MailRefused(Exception):
    """The server will never take this message for this address."""


class MailDelayed(Exception):
    """The server can't be reached, or can't take the message now."""


async def deliver(message: EmailMessage, settings: Settings) -> None:
    """Hand a message over to the server of `smtp_url`. Raises `MailRefused`, `MailDelayed`.

    `smtps://` is TLS from the start; `smtp://` is upgraded by STARTTLS, which is a must as soon as a password or, in
    production, a message would go over a network.
    """
    import aiosmtplib  # noqa: PLC0415 (only the worker needs it)

    try:
        await aiosmtplib.send(message, **_connection(settings))
    except aiosmtplib.SMTPRecipientsRefused as error:
        if all(refused.code in PERMANENT for refused in error.recipients):
            raise MailRefused from error
        raise MailDelayed from error
    except aiosmtplib.SMTPDataError as error:
        raise MailRefused if error.code in PERMANENT else MailDelayed from error
    except aiosmtplib.SMTPNotSupported as error:
        raise MailRefused from error  # an address beyond ASCII, and a server that can't write it
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailDelayed from error


async def check(settings: Settings) -> None:
    """Connect to the server and sign in, without a message. Raises `MailDelayed`."""
    import aiosmtplib  # noqa: PLC0415 (as above)

    try:
        async with aiosmtplib.SMTP(**_connection(settings)) as server:
            await server.noop()
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailDelayed(type(error).__name__) from error


def _connection(settings: Settings) -> dict[str, Any]:
    """How the server is reached. Raises `MailDelayed` if none is configured."""
    url = urlsplit(settings.smtp_url.get_secret_value())
    if not url.hostname:
        raise MailDelayed("no SMTP server is configured")
    encrypted = url.scheme == "smtps"
    must_upgrade = not _is_loopback(url.hostname) and bool(url.password or settings.environment == "production")
    return {
        "hostname": url.hostname,
        "port": url.port or (SUBMISSIONS_PORT if encrypted else SUBMISSION_PORT),
        "username": unquote(url.username) if url.username else None,
        "password": unquote(url.password) if url.password else None,
        "use_tls": encrypted,
        "start_tls": False if encrypted else must_upgrade or None,
        "timeout": TIMEOUT_SECONDS,
    }


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
