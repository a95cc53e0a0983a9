"""How a child process is started: own session, private files, and never outliving the process that owns it."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import app
from app.cli.embedded.errors import ServiceFailed

PR_SET_PDEATHSIG = 1  # linux/prctl.h
SERVICE_USERS = ("lifevault", "postgres", "nobody")


@dataclass(frozen=True)
class ServiceUser:
    """An unprivileged account that root lends to a process."""

    uid: int
    gid: int

    @classmethod
    def find(cls, existing: Path) -> "ServiceUser | None":
        """The account for a program that refuses to run as root; None when we aren't root ourselves.

        It is the owner of `existing`, if that was made already.
        """
        if os.geteuid() != 0:
            return None
        if existing.exists() and (owner := existing.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid)
        accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
        for name in SERVICE_USERS:
            if name in accounts:
                return cls(accounts[name].pw_uid, accounts[name].pw_gid)
        raise ServiceFailed(f"PostgreSQL refuses to run as root; none of {', '.join(SERVICE_USERS)} is a user here.")


@dataclass(frozen=True)
class Command:
    """A program to run. `stdin` is written once and closed, so that secrets stay out of the argument list."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    user: ServiceUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    inherited: tuple[int, ...] = ()
    """Open files that it gets, under the same numbers."""


def python_command(cwd: Path, env: Mapping[str, str], *arguments: str, inherited: tuple[int, ...] = ()) -> Command:
    """This Python with this package, wherever it is started from."""
    paths = [str(Path(app.__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(path for path in paths if path)
    return Command((sys.executable, *arguments), cwd, {**env, "PYTHONPATH": path}, inherited=inherited)


def base_environment() -> dict[str, str]:
    """What a server needs of our own environment: where programs are and how text is written, no secrets."""
    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}


def spawn(command: Command, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program. Its output and errors go to `output`; its stdin is a pipe, for `feed`.

    Call from the main thread: Linux ties the death signal to the thread that forked, so elsewhere it is left out.
    """
    user = command.user
    identity: dict[str, Any] = {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": ()}
    with warnings.catch_warnings():
        # Python 3.12 and later warn of `preexec_fn` beside other threads; ours makes one system call and takes no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(  # noqa: S603  the arguments are ours and no shell is involved
            command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            umask=0o077,
            start_new_session=True,
            pass_fds=command.inherited,
            preexec_fn=_die_with_parent(command.stop_signal),
            **identity,
        )


def start(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start a program whose output is appended to a log file."""
    with log.open("ab") as output:
        process = spawn(command, output)
    feed(process, command.stdin)
    return process


def run(command: Command, *, timeout_seconds: float = 300) -> None:
    """Run a program to its end. Raises `ServiceFailed` with what it wrote unless it exits with 0."""
    name = Path(command.argv[0]).name
    with spawn(command, subprocess.PIPE) as process:
        try:
            output: bytes = process.communicate(command.stdin, timeout=timeout_seconds)[0]
        except subprocess.TimeoutExpired:
            raise ServiceFailed(f"{name} did not finish within {timeout_seconds:.0f} s.") from None
        finally:
            process.kill()
    if process.returncode != 0:
        raise ServiceFailed(f"{name} ended with code {process.returncode}.", output.decode(errors="replace"))


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, *, timeout_seconds: float = 60) -> None:
    """End a process: politely first, by force when it takes too long."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to the stdin of a process and close it."""
    if process.stdin is None:
        return
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended already; whoever waits for it sees why


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Ask Linux to signal the child when we die, even by SIGKILL; other systems rely on the recorded process ids."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return in_child
