"""`docker` and `aws` as far as `.ci/deploy` calls them: containers and versions of a function are processes here.

Run as `python host.py FOLDER docker|aws ARGUMENTS…`. FOLDER holds `settings.json`, the environment of the processes,
and what is known in `state.json`. Images whose tag begins with `sick` have a database that nobody reaches, with `dead`
end at once, with `stuck` have migrations that fail.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

START_SECONDS = 90


def main(folder: Path, program: str, arguments: list[str]) -> int:
    state = json.loads((folder / "state.json").read_text())
    code = (docker if program == "docker" else aws)(folder, state, arguments)
    (folder / "state.json").write_text(json.dumps(state))
    return code


def docker(folder: Path, state: dict[str, Any], arguments: list[str]) -> int:
    image = os.environ.get("LIFEVAULT_IMAGE", "")
    match arguments:
        case ["compose", "ps", *_]:
            print("container" if state["image"] else "")  # noqa: T201
        case ["inspect", *_]:
            print(state["image"])  # noqa: T201
        case ["compose", "pull", *_]:
            return 0
        case ["compose", "run", "--rm", "migrate"]:
            return migrate(folder, image)
        case ["run", *_, image, "upgrade", "head"]:
            return migrate(folder, image)
        case ["compose", "up", *_]:
            state["image"] = image
            return serve(folder, state, image)
        case _:
            return 64
    return 0


def aws(folder: Path, state: dict[str, Any], arguments: list[str]) -> int:
    given = dict(zip(arguments[2::2], arguments[3::2], strict=False))
    match arguments[1]:
        case "get-alias":
            print(state["version"])  # noqa: T201
        case "update-function-code":
            state["images"].append(given["--image-uri"])
            print(json.dumps({"Version": str(len(state["images"]))}))  # noqa: T201
        case "wait":
            return 0
        case "update-alias":
            state["version"] = given["--function-version"]
            serve(folder, state, state["images"][int(state["version"]) - 1])
        case _:
            return 64
    return 0


def tag_of(image: str) -> str:
    return image.rpartition(":")[2]


def migrate(folder: Path, image: str) -> int:
    if tag_of(image).startswith("stuck"):
        return 1
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    return subprocess.run(command, env=environment(folder, image), stdout=sys.stderr).returncode


def environment(folder: Path, image: str) -> dict[str, str]:
    settings = json.loads((folder / "settings.json").read_text())
    own: dict[str, str] = {"LIFEVAULT_RELEASE": tag_of(image)}
    if tag_of(image).startswith("sick"):
        own["LIFEVAULT_DATABASE_URL"] = "postgresql://nobody:x@127.0.0.1:1/nothing"
    return {**os.environ, **settings, **own}


def serve(folder: Path, state: dict[str, Any], image: str) -> int:
    """Exchange the process that serves; waits until it lives."""
    if alive(state["pid"]):
        os.kill(state["pid"], signal.SIGTERM)
        wait_until(lambda: not alive(state["pid"]))
    port = str(state["port"])
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", port, "--log-level", "warning"]
    if tag_of(image).startswith("dead"):
        command = [sys.executable, "-c", "raise SystemExit(1)"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment(folder, image), stdout=log, stderr=log, start_new_session=True
        )
    state["pid"] = process.pid
    return 0 if wait_until(lambda: process.poll() is not None or lives(port)) and process.poll() is None else 1


def wait_until(holds: Any) -> bool:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False


def alive(pid: int) -> bool:
    """Whether the process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def lives(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
