"""One `lifevault up`, from the lock on the data folder to the last process that ends."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.cli.embedded.environment import read_given
from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.files import private_folder, write_json
from app.cli.embedded.instance import Instance, application_specs, migration_spec, prepare, service_specs
from app.cli.embedded.lock import DataLock
from app.cli.embedded.migrations import is_current
from app.cli.embedded.ports import is_free, listen
from app.cli.embedded.processes import ProcessMark, RunRecord, stop_leftovers
from app.cli.embedded.running import read_record, run_file, running_instance
from app.cli.embedded.supervisor import Supervisor
from app.cli.embedded.terminal import Terminal
from app.core.config import SettingsError

DEFAULT_PORT = 8000
PORTS_TRIED = 100
INTERRUPTED = 130
FIRST_ONE_SECONDS = 300


def run_up(folder: Path, host: str, port: int | None, *, verbose: bool = False) -> int:
    """Run until told to stop; returns the exit code. A second one on the same folder shows the first and returns 0."""
    terminal = Terminal(verbose=verbose)
    os.umask(0o077)
    try:
        private_folder(folder)
        lock = DataLock(folder)
        first = _acquire_or_find(lock, folder)
        if first is not None:
            terminal.show_running(folder, first)
            return 0
        try:
            return _run(folder, host, port, terminal)
        finally:
            lock.release()
    except SettingsError as error:
        terminal.show_problems(error.problems)
    except EmbeddedError as error:
        terminal.show_failure(error)
    except OSError as error:
        terminal.show_failure(EmbeddedError(f"{error.filename or folder}: {error.strerror or error}."))
    except KeyboardInterrupt:
        return INTERRUPTED
    return 1


def _acquire_or_find(lock: DataLock, folder: Path) -> RunRecord | None:
    """Lock the folder, or wait until the `up` that has it is ready."""
    deadline = time.monotonic() + FIRST_ONE_SECONDS
    while not lock.acquire(timeout_seconds=0.1):
        first = running_instance(folder)
        if first is not None and first.ready:
            return first
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Another `lifevault up` holds {folder}, but it does not become ready.")
    return None


def _run(folder: Path, host: str, port: int | None, terminal: Terminal) -> int:
    given = read_given()
    is_first_start = not (folder / "secrets.json").exists()
    if (record := read_record(folder)) is not None and (names := stop_leftovers(record)):
        terminal.note(f"The last run was killed; {', '.join(names)} still ran and had to be stopped.")
    instance = prepare(folder, host, _choose_port(host, port, terminal), given)
    if instance.postgres is not None and not instance.postgres.exists:
        with terminal.step("Make the database"):
            instance.postgres.initialise()
    return asyncio.run(_serve(instance, terminal, is_first_start=is_first_start))


def _choose_port(host: str, port: int | None, terminal: Terminal) -> int:
    candidates = range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED) if port is None else (port,)
    try:
        chosen = next((candidate for candidate in candidates if is_free(candidate, host.strip("[]"))), None)
    except OSError as error:
        raise EmbeddedError(f"Can't listen on {host}: {error.strerror or error}.") from error
    if chosen is None:
        raise EmbeddedError(f"Port {candidates[0]} on {host} is taken by another program. Choose one with --port.")
    if chosen != candidates[0]:
        terminal.note(f"Port {candidates[0]} is taken by another program; using {chosen}.")
    return chosen


class _Recorder:
    """Keeps `run.json` up to date for a second `up`, for `status`, `stop`, and for the `up` after a crash."""

    def __init__(self, instance: Instance) -> None:
        mark = ProcessMark.take("up", os.getpid())
        if mark is None:
            raise EmbeddedError("This system does not say when a process was started.")
        self._path = run_file(instance.folder)
        self.record = RunRecord(
            secrets.token_hex(8), mark, instance.url, instance.mailbox_url, ready=False, children=()
        )

    def children(self, marks: tuple[ProcessMark, ...]) -> None:
        with suppress(OSError):  # a full disk must not keep a child from being started again
            self._write(replace(self.record, children=marks))

    def ready(self) -> None:
        self._write(replace(self.record, ready=True))

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self, record: RunRecord) -> None:
        self.record = record
        write_json(self._path, record.to_json())


async def _serve(instance: Instance, terminal: Terminal, *, is_first_start: bool) -> int:
    recorder = _Recorder(instance)
    told_to_stop = asyncio.Event()
    supervisor = Supervisor(instance.folder / "logs", recorder.record.run_id, recorder.children, terminal.echo)
    listener = listen(instance.host.strip("[]"), instance.port)  # it outlives each API, so a restart refuses nobody
    try:
        async with supervisor:
            _listen_to_signals(told_to_stop, supervisor, terminal)
            starting = _start(supervisor, instance, terminal, listener.fileno())
            if await _unless_told_to_stop(starting, told_to_stop):
                recorder.ready()
                terminal.show_ready(instance, is_first_start=is_first_start)
                await told_to_stop.wait()
            terminal.note("Stopping …")
    finally:
        listener.close()
        recorder.forget()
    terminal.note("Stopped.")
    return 0


async def _unless_told_to_stop(start: Coroutine[None, None, None], told_to_stop: asyncio.Event) -> bool:
    """Whether everything was started; False as soon as the person changes their mind."""
    starting = asyncio.create_task(start)
    stopping = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return False
    stopping.cancel()
    starting.result()
    return True


async def _start(supervisor: Supervisor, instance: Instance, terminal: Terminal, listener: int) -> None:
    if specs := service_specs(instance):
        with terminal.step(f"Start {', '.join(spec.name for spec in specs)}"):
            await supervisor.start(specs)
    if not await is_current(instance.database_url):
        with terminal.step("Bring the database to the newest schema"):
            await supervisor.run(migration_spec(instance))
    if instance.compares_vectors:
        with terminal.step("Find the place of vectors in the database"):
            await _make_place_for_vectors(instance)
    with terminal.step("Start api, worker, beat"):
        await supervisor.start(application_specs(instance, listener))


async def _make_place_for_vectors(instance: Instance) -> None:
    from app.db.engine import asyncpg_url  # noqa: PLC0415  seldom wanted
    from app.rag.pgvector.table import ExtensionMissing, create_table  # noqa: PLC0415

    postgres = instance.postgres
    try:
        await create_table(asyncpg_url(instance.database_url), postgres.urls.superuser if postgres else None)
    except ExtensionMissing as error:
        raise EmbeddedError(str(error)) from None


def _listen_to_signals(told_to_stop: asyncio.Event, supervisor: Supervisor, terminal: Terminal) -> None:
    def interrupt() -> None:
        if told_to_stop.is_set() and not supervisor.hurry.is_set():
            terminal.note("Stopping at once …")
            supervisor.hurry.set()
        told_to_stop.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, told_to_stop.set)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as it is below nohup
        loop.add_signal_handler(signal.SIGHUP, told_to_stop.set)
