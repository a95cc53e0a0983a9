"""Free TCP ports on this machine."""

import errno
import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range that Linux and macOS hand to outgoing connections, so that a port we keep is not lent to one.
LOWEST, HIGHEST = 20_000, 32_000
BACKLOG = 2_048


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now. Raises `OSError` if that fails for another reason than a server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections, for a child to answer them; while the child starts again they wait in it.

    Raises `OSError`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def free_port(preferred: int | None = None) -> int:
    """The preferred port if it is free, else another one that is."""
    if preferred is not None and is_free(preferred):
        return preferred
    candidates = random.SystemRandom().sample(range(LOWEST, HIGHEST), 200)
    return next(port for port in candidates if is_free(port))
