"""Whom a connection trusts, how long it is waited for, and whether a broken one had carried the request."""

import ssl
from functools import cache

import httpx

from app.core.config import Settings
from app.payments.providers.failures import NoAnswer, NotSent

BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def failed_by(error: BaseException | None) -> NotSent | NoAnswer:
    """What an exception of httpx says: without a connection nothing was sent, everything else leaves it open."""
    return NotSent() if isinstance(error, BEFORE_SENDING) else NoAnswer()


@cache
def trusted() -> ssl.SSLContext:
    """The authorities of httpx, read once in a process: that takes longer than all the rest of opening a client."""
    return httpx.create_ssl_context()


def timeouts(settings: Settings) -> httpx.Timeout:
    """The longest waits."""
    return httpx.Timeout(settings.payment_timeout_seconds, connect=settings.payment_connect_timeout_seconds)
