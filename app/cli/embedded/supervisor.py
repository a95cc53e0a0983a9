"""Keeps child processes running: starts them, restarts what dies, stops them in the opposite order.

One thread and one event loop: processes are forked from the main thread only, and the kernel's SIGCHLD wakes us.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from app.cli.embedded.command import Command, feed, spawn
from app.cli.embedded.errors import EmbeddedError, ServiceFailed
from app.cli.embedded.logs import RotatingLog
from app.cli.embedded.processes import RUN_ID, ProcessMark

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.2, 10.0
HEALTHY_SECONDS = 30
START_ATTEMPTS = 3
LAST_RESORT_SECONDS = 10
POLL_SECONDS = 0.05

Echo = Callable[[str, bytes], None]


async def _always(_pid: int) -> bool:
    return True


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class ChildSpec:
    """A child to keep running. `command` is asked anew at each start; `is_ready` gets the process id."""

    name: str
    command: Callable[[], Command]
    is_ready: Callable[[int], Awaitable[bool]] = _always
    before_start: Callable[[], None] = _nothing
    start_seconds: float = 180
    stop_seconds: float = 20
    impatient_signal: signal.Signals = signal.SIGKILL


class Child:
    """One child over its restarts."""

    def __init__(self, spec: ChildSpec, log: RotatingLog, run_id: str, changed: Callable[[], None], echo: Echo) -> None:
        self.spec = spec
        self.log = log
        self.ends = 0
        self.returncode: int | None = None
        self.mark: ProcessMark | None = None
        self._run_id = run_id
        self._changed = changed
        self._echo = echo
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_signal = signal.SIGTERM
        self._ended = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the running process."""
        return self._process.pid if self._process is not None else None

    def notice_end(self) -> None:
        """Called after every SIGCHLD: has our process ended?"""
        if self._process is None or self._process.poll() is None:
            return
        _kill_group(self._process.pid)  # what the process started dies with it
        self.returncode = self._process.returncode
        self._process = None
        self.ends += 1
        self._ended.set()

    async def keep_running(self) -> None:
        """Start the process again whenever it ends, with a growing pause, until `stop` is called."""
        delay = FIRST_DELAY_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            await self._run()
            if time.monotonic() - started > HEALTHY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    async def _run(self) -> None:
        try:
            self._start()
        except (OSError, EmbeddedError) as error:
            self.log.write(f"{self.spec.name} can't be started: {error}\n".encode())
            self.ends += 1
        else:
            await self._ended.wait()

    async def run_once(self) -> None:
        """Run the process to its end. Raises `ServiceFailed` unless it exits with 0."""
        self._start()
        await self._ended.wait()
        self.mark = None
        self._changed()
        if self.returncode != 0:
            raise self.failure()

    async def wait_ready(self) -> None:
        """Wait until the process is ready. Raises `ServiceFailed` if it ends again and again or takes too long."""
        deadline = time.monotonic() + self.spec.start_seconds
        while True:
            pid = self.pid
            if pid is not None and await self.spec.is_ready(pid):
                return
            if self.ends >= START_ATTEMPTS or time.monotonic() > deadline:
                raise self.failure()
            await asyncio.sleep(POLL_SECONDS)

    def failure(self) -> ServiceFailed:
        """Why the child is of no use, with its last words."""
        ended = f"ended with code {self.returncode}" if self.ends else "did not become ready in time"
        return ServiceFailed(f"{self.spec.name} {ended}.", self.log.tail())

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the process, politely as long as there is time for it."""
        self._stopping.set()
        await self._end(self._stop_signal, hurry)
        await self._end(self.spec.impatient_signal, hurry)
        await self._end(signal.SIGKILL, hurry)

    async def _end(self, number: signal.Signals, hurry: asyncio.Event) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        polite = number == self._stop_signal
        waits = [asyncio.ensure_future(self._ended.wait())]
        if polite:
            waits.append(asyncio.ensure_future(hurry.wait()))
        seconds = self.spec.stop_seconds if polite else LAST_RESORT_SECONDS
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _start(self) -> None:
        self.spec.before_start()
        command = self.spec.command()
        command = replace(command, env={**command.env, RUN_ID: self._run_id})
        self._ended.clear()
        self._stop_signal = command.stop_signal
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        asyncio.get_running_loop().add_reader(reading, self._read, reading)  # closes it when nobody writes any more
        try:
            self._process = spawn(command, writing)
        finally:
            os.close(writing)
        feed(self._process, command.stdin)
        self.mark = ProcessMark.take(self.spec.name, self._process.pid, command.stop_signal)
        self._changed()

    def _read(self, descriptor: int) -> None:
        try:
            chunk = os.read(descriptor, 65_536)
        except BlockingIOError:
            return
        if chunk:
            self.log.write(chunk)
            self._echo(self.spec.name, chunk)
        else:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


class Supervisor:
    """Owns the children from the first start to the last end. Use as an async context manager from the main thread."""

    def __init__(
        self,
        logs: Path,
        run_id: str,
        on_change: Callable[[tuple[ProcessMark, ...]], None],
        echo: Echo = lambda _name, _chunk: None,
    ) -> None:
        self.hurry = asyncio.Event()
        self._logs = logs
        self._run_id = run_id
        self._on_change = on_change
        self._echo = echo
        self._groups: list[list[Child]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._notice_ends)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for group in reversed(self._groups):
            await asyncio.gather(*(child.stop(self.hurry) for child in group))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
        for child in self._children():
            child.log.close()

    async def start(self, specs: Sequence[ChildSpec]) -> None:
        """Start children together and wait until all are ready; they will also be stopped together.

        Raises `ServiceFailed` as soon as one of them can't be started.
        """
        group = [self._child(spec) for spec in specs]
        self._groups.append(group)
        self._tasks += [asyncio.create_task(child.keep_running()) for child in group]
        try:
            async with asyncio.TaskGroup() as waiting:
                for child in group:
                    waiting.create_task(child.wait_ready())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def run(self, spec: ChildSpec) -> None:
        """Run a child to its end, once. Raises `ServiceFailed` unless it exits with 0."""
        child = self._child(spec)
        self._groups.append([child])
        await child.run_once()

    def _child(self, spec: ChildSpec) -> Child:
        log = RotatingLog(self._logs / f"{spec.name}.log")
        return Child(spec, log, self._run_id, self._report, self._echo)

    def _children(self) -> list[Child]:
        return [child for group in self._groups for child in group]

    def _notice_ends(self) -> None:
        for child in self._children():
            child.notice_end()

    def _report(self) -> None:
        self._on_change(tuple(child.mark for child in self._children() if child.mark is not None))


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
