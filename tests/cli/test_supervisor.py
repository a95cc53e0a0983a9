"""The supervisor on real processes: what dies comes back, what is stopped stays stopped, nothing is left over."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.cli.embedded.command import Command
from app.cli.embedded.errors import ServiceFailed
from app.cli.embedded.processes import ProcessMark
from app.cli.embedded.supervisor import ChildSpec, Supervisor
from tests.cli.programs import SLEEP, start_python, wait_until


class Seen:
    """The last report of a supervisor."""

    def __init__(self) -> None:
        self.marks: tuple[ProcessMark, ...] = ()

    def __call__(self, marks: tuple[ProcessMark, ...]) -> None:
        self.marks = marks

    def pid(self, name: str) -> int:
        [pid] = [mark.pid for mark in self.marks if mark.name == name]
        return pid


def spec(folder: Path, name: str, *argv: str, **options: object) -> ChildSpec:
    command = Command(argv or SLEEP, folder, {"PATH": os.environ["PATH"]})
    return ChildSpec(name, lambda: command, **options)


def python(folder: Path, name: str, program: str, **options: object) -> ChildSpec:
    return spec(folder, name, sys.executable, "-u", "-c", textwrap.dedent(program), **options)


async def until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, holds)


async def start_all(folder: Path, specs: list[ChildSpec]) -> None:
    async with Supervisor(folder, "run", Seen()) as supervisor:
        await supervisor.start(specs)


async def test_a_killed_child_is_started_again(tmp_path: Path):
    seen = Seen()
    async with Supervisor(tmp_path, "run", seen) as supervisor:
        await supervisor.start([spec(tmp_path, "sleeper"), spec(tmp_path, "other")])
        first, other = seen.pid("sleeper"), seen.pid("other")
        os.kill(first, signal.SIGKILL)
        await until(lambda: seen.pid("sleeper") != first)
        assert psutil.pid_exists(seen.pid("sleeper"))
        assert seen.pid("other") == other


async def test_nothing_runs_after_the_end(tmp_path: Path):
    seen = Seen()
    async with Supervisor(tmp_path, "run", seen) as supervisor:
        await supervisor.start([spec(tmp_path, "one"), spec(tmp_path, "two")])

    assert len(seen.marks) == 2
    assert not any(psutil.pid_exists(mark.pid) for mark in seen.marks)


async def test_what_was_started_last_is_stopped_first(tmp_path: Path):
    program = """
        import signal, sys, time
        def end(*_): open("order", "a").write("{name} "); sys.exit()
        signal.signal(signal.SIGTERM, end)
        open("{name}", "w")
        while True: time.sleep(1)
    """

    async def runs(name: str) -> bool:
        return (tmp_path / name).exists()

    async with Supervisor(tmp_path, "run", Seen()) as supervisor:
        for name in ("server", "application"):
            child = python(tmp_path, name, program.format(name=name), is_ready=lambda _pid, name=name: runs(name))
            await supervisor.start([child])

    assert (tmp_path / "order").read_text() == "application server "


async def test_a_child_that_can_not_start_is_reported_with_its_last_words(tmp_path: Path):
    async def never(_pid: int) -> bool:
        return False

    program = "print('no space left'); raise SystemExit(3)"
    specs = [python(tmp_path, "broken", program, is_ready=never), spec(tmp_path, "fine")]
    with pytest.raises(ServiceFailed, match="broken ended with code 3") as failure:
        await start_all(tmp_path, specs)

    assert "no space left" in failure.value.log


async def test_a_program_that_does_not_exist_is_reported(tmp_path: Path):
    with pytest.raises(ServiceFailed) as failure:
        await start_all(tmp_path, [spec(tmp_path, "absent", "/nowhere/program")])

    assert "/nowhere/program" in failure.value.log


async def test_a_child_that_never_becomes_ready_is_given_up(tmp_path: Path):
    async def never(_pid: int) -> bool:
        return False

    with pytest.raises(ServiceFailed, match="did not become ready in time"):
        await start_all(tmp_path, [spec(tmp_path, "mute", is_ready=never, start_seconds=0.3)])


async def test_a_child_that_ignores_the_polite_signal_is_killed_at_once_when_there_is_a_hurry(tmp_path: Path):
    program = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("ignores", "w")
        while True: time.sleep(1)
    """
    started = 0.0
    async with Supervisor(tmp_path, "run", Seen()) as supervisor:
        await supervisor.start([python(tmp_path, "stubborn", program, stop_seconds=60)])
        await until((tmp_path / "ignores").exists)
        started = time.monotonic()
        asyncio.get_running_loop().call_later(0.2, supervisor.hurry.set)

    assert time.monotonic() - started < 10


async def test_what_a_killed_child_had_started_dies_with_it(tmp_path: Path):
    program = """
        import subprocess, time
        child = subprocess.Popen(["sleep", "60"])
        open("grandchild.new", "w").write(str(child.pid))
        import os; os.rename("grandchild.new", "grandchild")
        while True: time.sleep(1)
    """
    seen = Seen()
    async with Supervisor(tmp_path, "run", seen) as supervisor:
        await supervisor.start([python(tmp_path, "parent", program)])
        await until((tmp_path / "grandchild").exists)
        grandchild = psutil.Process(int((tmp_path / "grandchild").read_text()))
        os.kill(seen.pid("parent"), signal.SIGKILL)
        await until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


async def test_a_crashing_child_is_started_less_and_less_often(tmp_path: Path):
    program = "open('starts', 'a').write('x')"
    async with Supervisor(tmp_path, "run", Seen()) as supervisor:
        await supervisor.start([python(tmp_path, "crashing", program)])
        await asyncio.sleep(2)

    assert 2 <= len((tmp_path / "starts").read_text()) <= 5  # after 0, 0.2, 0.6, 1.4 seconds


async def test_output_goes_to_a_log_that_stays_small(tmp_path: Path):
    program = "for _ in range(200): print('y' * 65_536)"
    async with Supervisor(tmp_path, "run", Seen()) as supervisor:
        await supervisor.run(python(tmp_path, "chatty", program))

    logs = [tmp_path / "chatty.log", tmp_path / "chatty.log.1"]
    assert 0 < max(log.stat().st_size for log in logs) <= 5 * 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start stops what was left")
def test_children_end_with_a_killed_supervisor(tmp_path: Path):
    program = """
        import asyncio, os, sys
        from pathlib import Path
        from app.cli.embedded.command import Command
        from app.cli.embedded.supervisor import ChildSpec, Supervisor

        async def main():
            folder = Path(sys.argv[1])
            command = Command(("sleep", "60"), folder, {"PATH": os.environ["PATH"]})
            report = lambda marks: print(marks[0].pid, flush=True)
            async with Supervisor(folder, "run", report) as supervisor:
                await supervisor.start([ChildSpec("sleeper", lambda: command)])
                await asyncio.sleep(60)

        asyncio.run(main())
    """
    with start_python(program, tmp_path, stdout=subprocess.PIPE) as supervisor:
        child = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
    child.wait(10)

    assert not child.is_running()
