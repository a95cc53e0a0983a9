"""Why a client refuses what it was given; no error ever falls back to something weaker."""


class SealedError(Exception):
    """Anything that the client refuses."""


class Tampered(SealedError):
    """Not what its author made for this place: altered, cut, moved, forged, or swapped for something else."""


class UnsupportedSuite(SealedError):
    """A format version or suite that this client doesn't know; lower ones are never accepted."""


class WeakKdf(SealedError):
    """Costs of the password function below the floor, above the ceiling, or a salt of the wrong length."""


class RolledBack(SealedError):
    """Older than what this client has already seen."""


class Missing(SealedError):
    """The server doesn't hand out something that must exist."""


class WrongPassword(SealedError):
    """The password doesn't open this account (or its wrap was replaced: both look alike)."""


class WrongRecoveryKey(SealedError):
    """The recovery key doesn't open this account."""


class Mistyped(SealedError):
    """A recovery key or a fingerprint that was not typed as it was printed."""


class KeyNotVerified(SealedError):
    """Keys that nobody has compared out of band."""


class KeyChanged(SealedError):
    """Other keys than those that were compared."""


class NotAllowed(SealedError):
    """A role that may not do this."""


class Conflict(SealedError):
    """Another client was faster; read again and repeat."""
