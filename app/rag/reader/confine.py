"""What the process gives up before it sees the first byte of a file: growth, time, writing, privileges."""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Final

from app.rag.reader.wire import Limits

# From <linux/prctl.h>, <linux/landlock.h> and the table of system calls, whose new numbers are those of every machine.
PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
LANDLOCK_CREATE_RULESET: Final = 444
LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_CREATE_RULESET_VERSION: Final = 1
# Rights that change a file system, by the version of Landlock that introduced them: write a file, remove and make
# entries of every kind (1 << 1, 1 << 4 to 1 << 12); link and rename across folders; truncate.
WRITING: Final = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}
NETWORKING: Final = 0b11  # bind and connect of TCP, since version 4


class _Ruleset(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64)]


def confine(limits: Limits, parent: int) -> None:
    """Set the limits for this process and all that it starts; `parent` is the process it must not outlive."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CPU, limits.max_cpu_seconds, grace=5)  # SIGXCPU first: it tells why, SIGKILL would not
    _limit(resource.RLIMIT_AS, limits.max_memory_bytes)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        die_with(parent)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _forbid_writing(libc)


def die_with(parent: int) -> None:
    """Have the kernel end this process as soon as `parent` is gone; also between `fork` and `exec`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _limit(kind: int, value: int, grace: int = 0) -> None:
    with suppress(ValueError, OSError):  # macOS refuses some kinds, a container may have set less
        resource.setrlimit(kind, (value, value + grace))


def _forbid_writing(libc: ctypes.CDLL) -> None:
    """No file can be made, changed or removed, and no connection opened, where the kernel has Landlock."""
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return
    rights = sum(bits for since, bits in WRITING.items() if since <= version)
    rules = _Ruleset(rights, NETWORKING if version >= 4 else 0)
    size = ctypes.sizeof(rules) if version >= 4 else ctypes.sizeof(ctypes.c_uint64)
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset >= 0:
        libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)
