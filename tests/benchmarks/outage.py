"""What an outage of Redis costs: `python -m tests.benchmarks.outage [--requests N] [--json]`.

The whole product as `lifevault up` starts it. Given is the 99th percentile of sign-ins, which ask Redis, and of lists,
which do not, while it runs (1), while it is frozen, and after it is back; and how many requests failed: none should.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from app.cli.embedded.running import read_record
from tests.stack import Person, Stack, free_port

GOAL = 2.0
CENT = 100


def measured(asks: list[Callable[[], httpx.Response]], count: int) -> tuple[float, int]:
    """The 99th percentile in milliseconds, and how many failed."""
    took, failed = [], 0
    for number in range(count):
        started = time.perf_counter()
        failed += asks[number % len(asks)]().status_code >= 400
        took.append((time.perf_counter() - started) * 1_000)
    return statistics.quantiles(took, n=CENT)[-1], failed


def run(stack: Stack, person: Person, count: int) -> dict[str, tuple[float, int]]:
    """What was measured in each phase."""
    form = {"username": person.email, "password": person.password}
    asks = [
        lambda: person.client.post("/v1/auth/token", data=form),
        *[lambda: person.client.get("/v1/vault/vaults")] * 4,
    ]
    record = read_record(stack.folder)
    assert record is not None
    valkey = next(mark.find() for mark in record.children if mark.name == "valkey")
    assert valkey is not None
    measured(asks, count // 4)
    phases = {"with Redis": measured(asks, count)}
    valkey.suspend()
    try:
        phases["Redis frozen"] = measured(asks, count)
    finally:
        valkey.resume()
    phases["Redis back"] = measured(asks, count)
    return phases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        folder.mkdir()
        stack = Stack(folder, free_port())
        stack.start()
        try:
            phases = run(stack, stack.person(), arguments.requests)
        finally:
            stack.close()
    base = phases["with Redis"][0]
    rows = {name: {"p99_ms": p99, "ratio": p99 / base, "failed": failed} for name, (p99, failed) in phases.items()}
    if arguments.json:
        sys.stdout.write(json.dumps({"goal": GOAL, **rows}) + "\n")
        return
    for name, row in rows.items():
        figures = f"p99 {row['p99_ms']:7.1f} ms  {row['ratio']:5.2f} x (goal {GOAL:.0f} x)  {row['failed']} failed"
        sys.stdout.write(f"{name:14} {figures}\n")


if __name__ == "__main__":
    main()
