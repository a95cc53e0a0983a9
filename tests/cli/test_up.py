"""`lifevault up` as a person runs it: real services, real kills, a data folder with a space in its name."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.instance import settings_of_running
from app.cli.embedded.migrations import is_current
from app.cli.embedded.ports import free_port
from app.cli.embedded.postgres import embedded_postgres
from app.cli.embedded.processes import RunRecord
from app.cli.embedded.running import read_record, running_instance
from app.cli.embedded.valkey import embedded_valkey
from tests.cli.programs import start, wait_until
from tests.prepared import furnish, prepared_server

pytestmark = pytest.mark.slow
START_SECONDS = 240
CHILDREN = {"postgres", "valkey", "mailbox", "simulator", "api", "worker", "beat"}


class Up:
    """One `lifevault up` in a process of its own."""

    def __init__(self, folder: Path, *options: object, **variables: str) -> None:
        self.folder = folder
        outside = ("LIFEVAULT_", "DATABASE_URL", "REDIS_URL")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
        self.process = start(
            *(sys.executable, "-m", "app.cli", "up", "--data", folder, *options),
            cwd=Path(__file__).parents[2],
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def wait_ready(self) -> RunRecord:
        def ready() -> bool:
            if self.process.poll() is not None:
                pytest.fail(self.output())
            record = running_instance(self.folder)
            return record is not None and record.ready

        wait_until(ready, START_SECONDS)
        return self.record()

    def record(self) -> RunRecord:
        record = read_record(self.folder)
        assert record is not None
        return record

    def pid(self, name: str) -> int:
        return next(mark.pid for mark in self.record().children if mark.name == name)

    def output(self) -> str:
        return self.process.communicate(timeout=START_SECONDS)[0].decode()

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.record().url}/health/ready", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=120)


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


@dataclass
class Home:
    """A data folder with a database, and who runs on it."""

    folder: Path
    up: Up | None = None

    def running(self) -> Up:
        """The instance that an earlier test has left running, or else a new one."""
        if self.up is None or self.up.process.poll() is not None:
            self.end()
            self.up = Up(self.folder)
            self.up.wait_ready()
        return self.up

    def end(self) -> None:
        if self.up is not None:
            self.up.end()
            self.up = None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("with a space") / "Mein Tresor für alle")
    furnish(prepared_server(tmp_path_factory), home.folder)
    yield home
    home.end()


@pytest.fixture
def up(home: Home) -> Up:
    """A running instance, which the test may end."""
    return home.running()


def test_the_first_start_says_where_everything_is_and_nothing_runs_after_sigterm(tmp_path: Path):
    up = Up(tmp_path / "erste Daten")
    record = up.wait_ready()
    processes = family(psutil.Process(up.process.pid))
    answers = [httpx.get(f"{record.url}/health/ready"), httpx.get(f"{record.mailbox_url}/mails.json")]
    up.process.terminate()
    output = up.output()

    assert {mark.name for mark in record.children} == CHILDREN
    assert [answer.status_code for answer in answers] == [200, 200]
    for words in (record.url, f"{record.url}/docs", record.mailbox_url, str(up.folder), "curl", "Ctrl-C"):
        assert words in output
    assert up.process.returncode == 0
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []
    assert not (up.folder / "run.json").exists()


def test_a_taken_port_is_said_when_it_was_asked_for_and_avoided_when_not(home: Home):
    home.end()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        refused = Up(home.folder, "--port", port)
        output = refused.output()

    assert refused.process.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program" in output

    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", 8000))
            stranger.listen()
        except OSError:
            pass  # somebody else holds it already, which is as good
        record = home.running().record()
    assert not record.url.endswith(":8000")


def test_other_commands_find_the_settings_of_a_running_up(up: Up, tmp_path: Path):
    settings = settings_of_running(up.folder)

    assert settings.public_url == up.record().url
    assert asyncio.run(is_current(settings.migration_url))
    with pytest.raises(EmbeddedError, match="is not running"):
        settings_of_running(tmp_path)


def test_secrets_stay_out_of_command_lines_and_logs(up: Up):
    secrets = json.loads((up.folder / "secrets.json").read_text())
    words = [secrets["valkey_password"], *secrets["postgres"].values()]
    words += [secrets[name].rpartition(":")[2] for name in ("root_keys", "token_keys", "lookup_key")]
    lines = [" ".join(process.cmdline()) for process in family(psutil.Process(up.process.pid))]
    logs = [log.read_text(errors="replace") for log in (up.folder / "logs").iterdir()]

    assert not [word for word in words for text in (*lines, *logs) if word in text]
    private = [path for path in up.folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert private == []


def test_every_killed_child_comes_back_by_itself(up: Up):
    for name in sorted(CHILDREN):
        before = up.pid(name)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda name=name, before=before: up.pid(name) != before)
        wait_until(up.is_healthy)

    assert up.process.poll() is None


def test_a_killed_up_is_taken_over_and_what_was_stored_is_still_there(up: Up, home: Home):
    account = {"email": "grete@example.com", "password": "ein langer Satz von mir", "name": "Grete"}
    registered = httpx.post(f"{up.record().url}/v1/auth/register", json=account, timeout=30)
    processes = family(psutil.Process(up.process.pid))
    up.process.kill()
    up.process.wait()

    later = home.running()
    record = later.record()
    form = {"username": account["email"], "password": account["password"]}
    signed_in = httpx.post(f"{record.url}/v1/auth/token", data=form, timeout=30)

    assert registered.status_code == 201
    assert signed_in.status_code == 200
    assert psutil.wait_procs(processes, timeout=5)[1] == []


def test_ctrl_c_twice_ends_it_at_once(up: Up):
    processes = family(psutil.Process(up.process.pid))
    up.process.send_signal(signal.SIGINT)
    up.process.send_signal(signal.SIGINT)

    assert up.process.wait(20) == 0
    assert psutil.wait_procs(processes, timeout=5)[1] == []


def test_a_second_up_finds_the_first_and_stop_ends_it(up: Up):
    second = Up(up.folder)
    output = second.output()
    status = start(sys.executable, "-m", "app.cli", "status", "--data", up.folder, stdout=subprocess.PIPE)
    stop = start(sys.executable, "-m", "app.cli", "stop", "--data", up.folder, stdout=subprocess.PIPE)

    assert second.process.returncode == 0
    assert f"already running at {up.record().url}" in output
    table = status.communicate(timeout=60)[0].decode()
    assert all(name in table for name in CHILDREN)
    assert b"was stopped" in stop.communicate(timeout=120)[0]
    assert up.process.wait(5) == 0


def test_stopping_while_it_still_starts_leaves_nothing(home: Home):
    home.end()
    up = Up(home.folder)
    wait_until(lambda: running_instance(home.folder) is not None)
    processes = family(psutil.Process(up.process.pid))
    up.end()

    assert up.process.returncode == 0
    assert psutil.wait_procs(processes, timeout=5)[1] == []


def test_servers_of_their_own_are_used_instead_of_the_embedded_ones(tmp_path: Path):
    with embedded_postgres(tmp_path / "database") as urls, embedded_valkey(tmp_path / "queue") as redis_url:
        outside = {"LIFEVAULT_MIGRATION_DATABASE_URL": urls.owner, "REDIS_URL": redis_url}
        up = Up(tmp_path / "data", DATABASE_URL=urls.app, **outside)
        record = up.wait_ready()
        healthy = up.is_healthy()
        up.end()

    assert healthy
    assert {mark.name for mark in record.children} == CHILDREN - {"postgres", "valkey"}
    assert not (tmp_path / "data" / "postgres").exists()


def test_wrong_settings_are_all_named_and_nothing_starts(tmp_path: Path):
    up = Up(tmp_path / "data", LIFEVAULT_MAX_BODY_BYTES="many", LIFEVAULT_TRASH_DAYS="0")
    output = up.output()

    assert up.process.returncode == 1
    assert "LIFEVAULT_MAX_BODY_BYTES" in output
    assert "LIFEVAULT_TRASH_DAYS" in output


def test_a_child_that_can_not_start_is_explained_and_the_rest_is_stopped(tmp_path: Path):
    port = free_port()
    up = Up(tmp_path / "data", DATABASE_URL=f"postgresql://me:pw@127.0.0.1:{port}/nowhere")
    output = up.output()

    assert up.process.returncode == 1
    assert "The database can't be reached" in output
    assert not (tmp_path / "data" / "run.json").exists()
