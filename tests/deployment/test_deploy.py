"""`.ci/deploy` against programs that stand for docker and aws; what serves, and what it migrates, is real."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests import ROOT
from tests.deployment.conftest import Place
from tests.stack import free_port

pytestmark = pytest.mark.slow

IMAGE = "registry.example/lifevault/server"
NEITHER_WELL = 2


@dataclass
class Host:
    """Where it is deployed."""

    folder: Path
    port: int
    owner_url: str

    def deploy(self, place: str, tag: str, seconds: int = 60) -> int:
        environment = os.environ | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "LIFEVAULT_HEALTH_URL": f"http://127.0.0.1:{self.port}",
            "LIFEVAULT_DEPLOY_SECONDS": str(seconds),
            "LIFEVAULT_FUNCTION": "lifevault",
        }
        command = [sys.executable, str(ROOT / ".ci" / "deploy"), place, f"{IMAGE}:{tag}"]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        print(done.stdout, done.stderr)  # noqa: T201  shown when it fails
        return done.returncode

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return found

    def release(self) -> str:
        """What answers, and is ready."""
        httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=10).raise_for_status()
        return str(httpx.get(f"http://127.0.0.1:{self.port}/health/live", timeout=10).json()["release"])


@pytest.fixture
async def host(place: Place, tmp_path: Path) -> AsyncIterator[Host]:
    """A host on which nothing was ever deployed."""
    made = Host(tmp_path, free_port(), place.owner_url)
    (tmp_path / "settings.json").write_text(json.dumps(place.environment))
    (tmp_path / "state.json").write_text(
        json.dumps({"port": made.port, "pid": 0, "image": "", "version": "0", "images": []})
    )
    for program in ("docker", "aws"):
        script = tmp_path / "bin" / program
        script.parent.mkdir(exist_ok=True)
        words = [sys.executable, str(Path(__file__).with_name("host.py")), str(tmp_path), program]
        script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        script.chmod(0o755)
    yield made
    with suppress(ProcessLookupError):
        os.kill(made.state["pid"], signal.SIGKILL)


async def test_a_server_is_migrated_exchanged_and_put_back_when_the_new_one_is_not_well(host: Host):
    assert host.deploy("server", "sick-0", seconds=5) == NEITHER_WELL  # there is none before it
    assert host.deploy("server", "1.0") == 0
    connection = await asyncpg.connect(host.owner_url)
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.close()
    assert host.release() == "1.0"

    assert host.deploy("server", "sick-2", seconds=5) == 1
    assert (host.release(), host.state["image"]) == ("1.0", f"{IMAGE}:1.0")

    before = host.state["pid"]
    assert host.deploy("server", "stuck-3") == 1
    assert (host.release(), host.state["pid"]) == ("1.0", before)  # nothing was exchanged

    assert host.deploy("server", "dead-4") == 1
    assert host.release() == "1.0"


async def test_a_function_gets_its_alias_back_when_the_new_version_is_not_well(host: Host):
    state = host.state | {"images": [f"{IMAGE}:1.0"], "version": "1"}
    (host.folder / "state.json").write_text(json.dumps(state))

    assert host.deploy("function", "1.1") == 0
    assert (host.release(), host.state["version"]) == ("1.1", "2")

    assert host.deploy("function", "sick-2", seconds=5) == 1
    assert (host.release(), host.state["version"]) == ("1.1", "2")

    assert host.deploy("function", "stuck-3") == 1
    assert len(host.state["images"]) == 3  # its code was not even uploaded


def test_a_wrong_call_says_how_it_is_meant():
    done = subprocess.run([sys.executable, str(ROOT / ".ci" / "deploy"), "moon", "x"], capture_output=True, text=True)

    assert done.returncode == 1
    assert ".ci/deploy server IMAGE" in done.stderr
