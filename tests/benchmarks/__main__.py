"""All benchmarks: `python -m tests.benchmarks [--eval DIR]`; each prints its figures with a ratio to a stated baseline.

Without an evaluation set (`--eval` or LIFEVAULT_EVAL) those that need none are run, on the sample documents.
"""

import argparse
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = os.environ.get("LIFEVAULT_EVAL")
    parser.add_argument("--eval", type=Path, default=Path(given) if given else None, help="the evaluation set")
    arguments = parser.parse_args()
    documents = arguments.eval / "pdf" if arguments.eval else Path(str(files("app.rag").joinpath("samples")))
    runs = [
        ("api",),
        ("items",),
        ("cold_start",),
        ("first_request",),
        ("outage",),
        ("search",),
        ("ingest", "--files", str(documents)),
        ("pipeline", "--files", str(documents)),
    ]
    if arguments.eval:
        runs.append(("retrieval", "--eval", str(arguments.eval)))
        runs.append(("intake", "--eval", str(arguments.eval)))
    for name, *options in runs:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}", *options], check=True)


if __name__ == "__main__":
    main()
