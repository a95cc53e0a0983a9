"""What can go wrong while services start; the message is a sentence for the person at the terminal."""


class EmbeddedError(Exception):
    """A service could not be prepared, started or stopped."""


class ServiceFailed(EmbeddedError):
    """A process ended, or did not become ready in time. `log` holds its last lines."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log
