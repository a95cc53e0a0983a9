"""Real processes for the tests of the command line."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

SLEEP = ("sleep", "60")


def start(*argv: object, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*map(str, argv)], **options)


def start_python(program: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Run a piece of Python that may import the application."""
    return start(sys.executable, "-c", textwrap.dedent(program), *arguments, **options)


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Poll until something holds; fails after that many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
