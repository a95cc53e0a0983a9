"""Errors as the wire has them. Source of types, codes and statuses: docs.stripe.com/api/errors."""

from typing import Any

Doc = dict[str, Any]


class SimError(Exception):
    """A call that is answered with an error.

    `keeps`: what was written until then stays. `is_saved`: the answer is kept for a repeated idempotency key, which is
    so as soon as the execution has begun.
    """

    status = 400
    type = "invalid_request_error"
    code: str | None = None
    keeps = False
    is_saved = False

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param
        self.extra = extra

    def body(self) -> Doc:
        """The JSON of the answer."""
        error: Doc = {"type": self.type, "message": self.message}
        if self.code:
            error["code"] = self.code
        if self.param:
            error["param"] = self.param
        return {"error": error | {name: value for name, value in self.extra.items() if value is not None}}


class Invalid(SimError):
    """A parameter is missing, unknown or not of its kind; nothing was begun."""


class Missing(SimError):
    """There is no such object."""

    status = 404
    code = "resource_missing"


class Refused(SimError):
    """Well-formed, but not possible in the state of things."""

    is_saved = True


class Declined(SimError):
    """The card was declined; the failed attempt is on the books."""

    status = 402
    type = "card_error"
    code = "card_declined"
    keeps = True
    is_saved = True


class Unauthorized(SimError):
    """No key, or not ours."""

    status = 401


class KeyReused(SimError):
    """An idempotency key came back with another request."""

    type = "idempotency_error"


class KeyInUse(SimError):
    """The first request with this idempotency key is still running."""

    status = 409
    type = "idempotency_error"
    code = "idempotency_key_in_use"


class RateLimited(SimError):
    """Too many requests: a fault that was switched on."""

    status = 429
    code = "rate_limit"


class Broken(SimError):
    """Something went wrong before anything was done: a fault that was switched on."""

    status = 500
    type = "api_error"


class Down(SimError):
    """The service is down: a fault that was switched on."""

    status = 503
    type = "api_error"
