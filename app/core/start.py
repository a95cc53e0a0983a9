"""How a process starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Import within: what is made stays for ever, so nothing looks for garbage among it, neither now nor later.

    The collector otherwise goes through the classes and routes again and again while they are made: a fifth of the time
    that it takes to import the application.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
