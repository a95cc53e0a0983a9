"""The way to the database: closed for a moment when it does not answer, so that nobody waits for what won't come."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError

from app.core.breaker import Breaker
from app.db.driver import LOST

PAUSE_SECONDS: Final = 1.0


class DatabaseAway(ConnectionError):
    """The database has failed several times in a row and is not asked just now."""


class Gate:
    """Lets transactions begin; `seconds` is the longest wait for one to do so."""

    def __init__(self, seconds: float, service: str = "database", pause_seconds: float = PAUSE_SECONDS) -> None:
        self.seconds = seconds
        self._breaker = Breaker(service, pause_seconds=pause_seconds)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Within, a transaction begins. Raises `DatabaseAway`."""
        if not self._breaker.allows():
            raise DatabaseAway
        try:
            yield
        except LOST:
            self._breaker.failed()
            raise
        except DBAPIError as error:
            if error.connection_invalidated:
                self._breaker.failed()
            raise
        self._breaker.succeeded()

    def answered(self) -> None:
        """Somebody has asked the database without passing here, and it answered."""
        self._breaker.succeeded()

    def failed(self) -> None:
        """It did not answer what was asked after the transaction had begun."""
        self._breaker.failed()

    def close(self) -> None:
        """Nobody passes any more."""
        self._breaker.forget()
