"""Errors of accounts and sign-in."""

from app.core.errors import BadRequest, Forbidden, NotFound, TooManyRequests, Unauthorized, Unprocessable


class InvalidCredentials(Unauthorized):
    """The address is not known, or the password is wrong: which of them is not told."""

    title = "The e-mail address or the password is wrong"


class EmailNotVerified(Forbidden):
    """The password is right, but the link in the e-mail has not been followed yet."""

    title = "Confirm your e-mail address first"


class InvalidRefreshToken(Unauthorized):
    """Unknown, expired, or used before; in the last case its whole session has been ended."""

    title = "The refresh token is not valid"


class SessionEnded(Unauthorized):
    """The session of this access token was ended."""

    title = "The session has ended"


class WrongPassword(Forbidden):
    """The current password is needed for this, and it was another."""

    title = "The current password is wrong"


class WeakPassword(Unprocessable):
    """A password that is too short or easily guessed."""

    title = "Choose another password"


class InvalidLink(BadRequest):
    """A link that was used, has expired, or was never ours."""

    title = "The link is not valid any more"


class UnknownScope(BadRequest):
    """A scope that does not exist."""

    title = "There is no such scope"


class SessionNotFound(NotFound):
    """No such session, or somebody else's."""

    title = "There is no such session"


class TooManyAttempts(TooManyRequests):
    """Too many attempts from here, or for this account; `Retry-After` says when to try again."""

    title = "Too many attempts"
