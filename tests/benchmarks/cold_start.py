"""Start-up: `python -m tests.benchmarks.cold_start [--json]`.

Import times are processor seconds of a fresh process (best of several, byte-compiled), with the ratio to importing a
bare FastAPI + SQLAlchemy application. `up` is the time from the start of the process to the first healthy answer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.stack import Stack, free_port

ROUNDS = 5
BARE = """
import fastapi, sqlalchemy.ext.asyncio, sqlalchemy.orm, asyncpg
app = fastapi.FastAPI()
@app.get("/")
async def root() -> dict[str, int]: return {}
engine = sqlalchemy.ext.asyncio.create_async_engine("postgresql+asyncpg://")
"""
PROGRAMS = {
    "bare FastAPI + SQLAlchemy": BARE,
    **{name: f"import {name}" for name in ("app.lambda_handler", "app.worker", "app.cli")},
    "the API with every room": "import app.main; app.main.app.state.rooms.open_all()",
}
KEYS = {
    "LIFEVAULT_BLOB_URL": f"file://{tempfile.gettempdir()}/lifevault-bench-blobs",
    "LIFEVAULT_DATABASE_URL": "postgresql://localhost/none",
}


def processor_seconds(programs: Mapping[str, str]) -> dict[str, float]:
    """The best of several fresh processes for each program, in turn, so that a busy machine is busy for all."""
    environment = {"PATH": "/usr/bin:/bin", **KEYS}
    best = dict.fromkeys(programs, float("inf"))
    for _ in range(ROUNDS):
        for name, code in programs.items():
            program = f"import time\n{code}\nprint(time.process_time())"
            run = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
            )
            best[name] = min(best[name], float(run.stdout.splitlines()[-1]))
    return best


def up_seconds(folder: Path) -> dict[str, float]:
    """Seconds until the first healthy answer: on an empty data folder, and again."""
    stack = Stack(folder, free_port())
    times = {}
    for name in ("first", "again"):
        started = time.monotonic()
        stack.start()
        times[name] = time.monotonic() - started
        stack.stop()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    best = processor_seconds(PROGRAMS)
    result: dict[str, dict[str, float]] = {
        name: {"seconds": seconds, "ratio": seconds / best["bare FastAPI + SQLAlchemy"]}
        for name, seconds in best.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "data")
        folder.mkdir()
        for start, seconds in up_seconds(folder).items():
            result[f"up, {start} start"] = {"seconds": seconds}
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, values in result.items():
        ratio = f"{values['ratio']:7.2f}×" if "ratio" in values else ""
        sys.stdout.write(f"{name:32}{values['seconds']:8.2f} s{ratio}\n")


if __name__ == "__main__":
    main()
