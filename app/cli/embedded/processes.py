"""Processes as they are remembered on disk, so that a later `up` knows its own from a stranger's with a reused id."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

RUN_ID = "LIFEVAULT_RUN_ID"
# Linux tells start times relative to a boot time that follows the clock when it is set.
START_TOLERANCE_SECONDS = 2
STOP_SECONDS = 30


@dataclass(frozen=True)
class ProcessMark:
    """What identifies a process: its id alone would not."""

    name: str
    pid: int
    created: float
    program: str
    stop_signal: int = signal.SIGTERM

    @classmethod
    def take(cls, name: str, pid: int, stop_signal: int = signal.SIGTERM) -> "ProcessMark | None":
        """The mark of a process that runs now; None if it has ended already."""
        try:
            process = psutil.Process(pid)
            return cls(name, pid, process.create_time(), _program(process), stop_signal)
        except psutil.Error:
            return None

    def find(self) -> psutil.Process | None:
        """The process, if it still runs and is the same one."""
        try:
            process = psutil.Process(self.pid)
            same_start = abs(process.create_time() - self.created) < START_TOLERANCE_SECONDS
            if same_start and _program(process) == self.program and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.Error:
            pass
        return None


@dataclass(frozen=True)
class RunRecord:
    """A running `up`: where it answers and which processes it owns; `ready` once it has answered."""

    run_id: str
    supervisor: ProcessMark
    url: str
    mailbox_url: str
    ready: bool
    children: tuple[ProcessMark, ...]

    def to_json(self) -> dict[str, Any]:
        """For `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "RunRecord | None":
        """A record that was stored; None for nothing or for an unknown shape."""
        try:
            supervisor = ProcessMark(**value["supervisor"])
            children = tuple(ProcessMark(**child) for child in value["children"])
            return cls(**value | {"supervisor": supervisor, "children": children})
        except (KeyError, TypeError):
            return None


def stop_leftovers(record: RunRecord) -> list[str]:
    """End what a killed `up` left behind; returns the names of what still ran.

    All at once: on Linux the kernel has told them the same when the `up` died.
    """
    found = [(mark, process) for mark in record.children if (process := mark.find()) is not None]
    for mark, process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(mark.stop_signal)
    _, stubborn = psutil.wait_procs([process for _, process in found], timeout=STOP_SECONDS)
    for process in (*stubborn, *_orphans(record)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(STOP_SECONDS)
    return [mark.name for mark, _ in found]


def _orphans(record: RunRecord) -> Iterator[psutil.Process]:
    """Members of the children's groups (pool processes of a worker) that carry the mark of the run."""
    groups = {mark.pid for mark in record.children}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) in groups and process.environ().get(RUN_ID) == record.run_id:
                yield process


def _program(process: psutil.Process) -> str:
    return Path(process.exe()).name.removesuffix(" (deleted)")
