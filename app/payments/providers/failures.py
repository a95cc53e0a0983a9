"""What an answer that is not a success means: was it done, was it refused, or does nobody know?

Source of types, codes and statuses: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
"""

import re
from typing import Any, Final

from app.core.logging import get_log
from app.payments.providers.fields import UNEXPECTED
from app.payments.providers.port import Declined, Missing, NotReached, OutcomeUnknown, ProviderError, Refused

PAYMENT_REQUIRED: Final = 402
NOT_ALLOWED: Final = (401, 403)
NOT_FOUND: Final = 404
BUSY: Final = {409: "locked", 429: "rate-limited"}
SERVER_ERROR: Final = 500
DOWN: Final = 503
NO_SERVICE: Final = ("not-connected", "no-answer", "server-error", "down")
"""Codes that say that the provider does not work; the others are answers, welcome or not."""
_CODE: Final = re.compile(r"[a-z0-9_-]{1,100}", re.IGNORECASE | re.ASCII)

log = get_log(__name__)


class NotSent(Exception):
    """No connection: the provider has seen nothing of the request."""


class NoAnswer(Exception):
    """The request may have been read, and no whole answer came."""


def no_connection() -> ProviderError:
    """For `NotSent`."""
    return NotReached("not-connected")


def no_answer(*, is_command: bool) -> ProviderError:
    """For `NoAnswer`: what was only read was certainly not done."""
    return OutcomeUnknown("no-answer") if is_command else NotReached("no-answer")


def failure(status: int, body: object, *, is_command: bool) -> ProviderError:
    """The error for an answer; `body` is its decoded JSON, or None if it has none."""
    error = body.get("error") if isinstance(body, dict) else None
    if status in NOT_ALLOWED:
        log.error("payment provider refuses our key", status=status)
        return Refused("not-authorised")
    if not isinstance(error, dict):
        return _unreadable(status, is_command=is_command)
    kind, code = _word(error, "type"), _word(error, "code")
    if kind == "card_error" or status == PAYMENT_REQUIRED:
        return Declined(_word(error, "decline_code") or code or "card_declined")
    if code == "idempotency_key_in_use":
        return OutcomeUnknown("in-progress") if is_command else NotReached("in-progress")
    if kind == "idempotency_error":
        return Refused("idempotency-mismatch")
    return _other(status, kind, code, is_command=is_command)


def _other(status: int, kind: str, code: str, *, is_command: bool) -> ProviderError:
    if status in BUSY or code == "lock_timeout":
        return NotReached(BUSY.get(status, "locked"))
    if status == NOT_FOUND:
        return Missing(code or "resource_missing")
    if status == DOWN:
        return NotReached("down")
    if status >= SERVER_ERROR:
        return _broken(is_command=is_command)
    return Refused(code or kind or "invalid-request")


def _unreadable(status: int, *, is_command: bool) -> ProviderError:
    """An answer that is not the provider's: a proxy's page, say, which can't tell what was done behind it."""
    if status in BUSY:
        return NotReached(BUSY[status])
    if status >= SERVER_ERROR:
        return _broken(is_command=is_command)
    return OutcomeUnknown(UNEXPECTED) if is_command else ProviderError(UNEXPECTED)


def _broken(*, is_command: bool) -> ProviderError:
    return OutcomeUnknown("server-error") if is_command else NotReached("server-error")


def _word(error: dict[str, Any], name: str) -> str:
    """A code of the provider; anything that isn't one is dropped, for codes reach our logs."""
    value = error.get(name)
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""
