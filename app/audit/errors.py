"""Errors of the log."""

from app.core.errors import AppError, Forbidden, NotFound


class LogNotFound(NotFound):
    """No such vault, or the principal is not a member."""

    title = "There is no such vault"


class LogForManagers(Forbidden):
    """A member who is neither owner nor admin."""

    title = "Only the owner and the admins of a vault read its log"


class LogBroken(AppError):
    """The end of the log does not hold, so it is not signed."""

    status = 500
    title = "The log of this vault is damaged"
