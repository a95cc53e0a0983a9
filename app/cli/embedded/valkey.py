"""Valkey (or Redis) as a child process: append-only file, a password, a loopback port."""

import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.embedded.binaries import valkey_program
from app.cli.embedded.command import Command, base_environment, start, stop
from app.cli.embedded.errors import ServiceFailed
from app.cli.embedded.files import private_folder, read_json, write_json
from app.cli.embedded.ports import LOOPBACK, free_port

START_SECONDS = 120  # a large append-only file is read first


class ValkeyServer:
    """The server whose append-only file is in a folder."""

    def __init__(self, folder: Path, password: str, port: int, *, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.port = port
        self._password = password
        self._durable = durable

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def command(self) -> Command:
        """The server in the foreground; its configuration, the password too, goes in through stdin."""
        private_folder(self.folder)
        argv = (str(valkey_program()), "-")
        return Command(argv, self.folder, base_environment(), stdin=self._configuration().encode())

    def is_ready(self) -> bool:
        """Whether the server has loaded its data and answers to our password."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b"".join(iter(lambda: connection.recv(1024), b""))
        except OSError:
            return False
        return b"+PONG" in answer

    def _configuration(self) -> str:
        lines = {
            "bind": LOOPBACK,
            "port": self.port,
            "protected-mode": "yes",
            "requirepass": self._password,
            "dir": ".",
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())


@contextmanager
def embedded_valkey(folder: Path, *, durable: bool = True) -> Iterator[str]:
    """The URL of a running server whose data, port and password stay in the folder.

    Without `durable` nothing is written to the disk: for tests. Raises `ServiceFailed` when it doesn't start.
    """
    private_folder(folder)
    state_file, log = folder / "valkey.json", folder / "valkey.log"
    state = read_json(state_file)
    password = state.get("password") or secrets.token_urlsafe(32)
    server = ValkeyServer(folder / "valkey", password, free_port(state.get("port")), durable=durable)
    write_json(state_file, {"port": server.port, "password": password})
    process = start(server.command(), log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceFailed("Valkey did not start.", log.read_text(errors="replace")[-4000:])
            time.sleep(0.01)
        yield server.url
    finally:
        stop(process, signal.SIGTERM)
