"""Whether this process is about to end: what would go on for ever ends then by itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_told: Final[set[Callable[[], None]]] = set()


def drain() -> None:
    """Say that this process is about to end."""
    for tell in list(_told):
        tell()


@contextmanager
def when_draining(tell: Callable[[], None]) -> Iterator[None]:
    """Within, have somebody told of it."""
    _told.add(tell)
    try:
        yield
    finally:
        _told.discard(tell)
