"""One `up` per data folder. The kernel frees the lock when the process ends, however it ends."""

import fcntl
import os
import time
from pathlib import Path


class DataLock:
    """An exclusive lock on a data folder, held as long as this object is not released."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def acquire(self, *, timeout_seconds: float = 0) -> bool:
        """Whether the folder is ours now; another holder is waited for at most that long."""
        deadline = time.monotonic() + timeout_seconds
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(0.05)
            else:
                self._descriptor = descriptor
                return True

    def release(self) -> None:
        """Let the next one in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
