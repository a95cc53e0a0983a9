"""Errors of accounts and sign-in."""

from app.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
)


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


class InvalidApiKey(Unauthorized):
    """A key that was mistyped, was never given out, has expired or was revoked."""

    title = "The API key is not valid"


class SessionNeeded(Forbidden):
    """Only a person who is signed in may do this, not a program with an API key."""

    title = "Sign in yourself to do this"


class StepUpRequired(Forbidden):
    """A dangerous act needs a fresh proof of who is there: see `POST /v1/auth/step-up`."""

    title = "Prove once more who you are"


class ScopeNotHeld(Forbidden):
    """A scope that one does not have can't be passed on."""

    title = "You do not have this scope yourself"


class ApiKeyNotFound(NotFound):
    """No such API key, or somebody else's."""

    title = "There is no such API key"


class TooManyApiKeys(Conflict):
    """As many API keys as one person may have."""

    title = "You have as many API keys as you may"


class SecondFactorRequired(Unauthorized):
    """The password is right; `challenge` is to be answered at `/v1/auth/token/second-factor` by one of `methods`."""

    title = "A second factor is needed"


class InvalidSecondFactor(Unauthorized):
    """The code or the passkey was wrong, or was used before."""

    title = "The second factor is wrong"


class InvalidChallenge(Unauthorized):
    """The challenge was answered, has expired, was answered wrongly too often, or was never given out."""

    title = "Sign in again from the beginning"


class WrongCode(Forbidden):
    """A code that is wrong, too old, or was used before."""

    title = "The code is wrong"


class TotpActive(Conflict):
    """An authenticator app is set up already."""

    title = "Remove the present authenticator app first"


class TotpNotFound(NotFound):
    """No authenticator app is set up, or none waits to be confirmed."""

    title = "There is no such authenticator app"


class NoSecondFactor(Conflict):
    """Recovery codes replace a second factor, and there is none."""

    title = "Set up a second factor first"


class InvalidPasskey(Unauthorized):
    """An unknown passkey, or an answer that is not one to our challenge."""

    title = "The passkey was not accepted"


class PasskeyRefused(BadRequest):
    """What an authenticator made does not answer the options, or lacks the check of the person."""

    title = "The passkey can't be registered"


class PasskeyNotFound(NotFound):
    """No such passkey, or somebody else's."""

    title = "There is no such passkey"


class TooManyPasskeys(Conflict):
    """As many passkeys as one person may have."""

    title = "You have as many passkeys as you may"


class OwnershipRemains(Conflict):
    """Others share what the person owns; `vault_ids` are to be handed over, or left by the others, first."""

    title = "Hand over what you share with others first"


class NotWaitingForDeletion(Conflict):
    """The account was not deleted, or is beyond restoring."""

    title = "The account does not wait for its deletion"


class UnknownIdentity(Unauthorized):
    """A valid token of a foreign issuer that opens no account: link it while signed in, if you have one."""

    title = "No account is linked to this sign-in"


class IdentityTaken(Conflict):
    """The foreign account opens an account of ours already."""

    title = "This sign-in is linked already"


class IdentityNotFound(NotFound):
    """No such linked sign-in, or somebody else's."""

    title = "There is no such linked sign-in"
