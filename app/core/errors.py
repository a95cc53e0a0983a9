"""What can go wrong, said in the words of the domain; `app.api.problems` renders it (RFC 9457)."""

import re
from typing import ClassVar


class AppError(Exception):
    """An error that a client may see.

    `status` is the HTTP status it maps to, `title` the same text every time, `detail` about this time (never input).
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None, **extra: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra

    @classmethod
    def code(cls) -> str:
        """The stable name, `ItemNotFound` → `item-not-found`; the last part of the problem's type."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


class BadRequest(AppError):
    """400: the request can't be understood."""

    status = 400
    title = "The request can't be understood"


class Unauthorized(AppError):
    """401: no valid sign-in."""

    status = 401
    title = "Sign in first"


class Forbidden(AppError):
    """403: signed in, but not allowed to."""

    status = 403
    title = "You may not do this"


class NotFound(AppError):
    """404: does not exist, or belongs to somebody else."""

    status = 404
    title = "Not found"


class Conflict(AppError):
    """409: not possible in the present state."""

    status = 409
    title = "Not possible in the present state"


class Gone(AppError):
    """410: existed once."""

    status = 410
    title = "No longer available"


class PreconditionFailed(AppError):
    """412: changed by somebody else in the meantime."""

    status = 412
    title = "It was changed in the meantime"


class TooLarge(AppError):
    """413: over a limit of size."""

    status = 413
    title = "Too large"


class UnsupportedMediaType(AppError):
    """415: a kind of content that is not accepted here."""

    status = 415
    title = "This kind of content is not accepted"


class RangeNotSatisfiable(AppError):
    """416: no such bytes."""

    status = 416
    title = "No such range of bytes"


class Unprocessable(AppError):
    """422: understood, but a value is not acceptable."""

    status = 422
    title = "The request is not valid"


class TooManyRequests(AppError):
    """429: over a limit of rate."""

    status = 429
    title = "Too many requests"


class Unavailable(AppError):
    """503: a part that is needed does not answer."""

    status = 503
    title = "Temporarily unavailable"
