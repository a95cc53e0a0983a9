"""Finding and stopping the `up` of a data folder from another process."""

import signal
from pathlib import Path

from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.files import read_json
from app.cli.embedded.lock import DataLock
from app.cli.embedded.processes import RunRecord

STOP_SECONDS = 120


def run_file(folder: Path) -> Path:
    """Where an `up` writes its `RunRecord`."""
    return folder / "run.json"


def read_record(folder: Path) -> RunRecord | None:
    """What the last `up` wrote; it may have been killed since."""
    return RunRecord.from_json(read_json(run_file(folder)))


def running_instance(folder: Path) -> RunRecord | None:
    """The `up` that runs on the data folder, once it has recorded itself."""
    record = read_record(folder)
    return record if record is not None and record.supervisor.find() is not None else None


def stop_instance(folder: Path) -> bool:
    """Stop the `up` of the folder and wait for its end; whether there was one. Raises `EmbeddedError` if it hangs."""
    record = read_record(folder)
    process = record.supervisor.find() if record is not None else None
    if process is None:
        return False
    process.send_signal(signal.SIGTERM)
    lock = DataLock(folder)
    if not lock.acquire(timeout_seconds=STOP_SECONDS):
        raise EmbeddedError(f"Process {process.pid} did not end within {STOP_SECONDS} s.")
    lock.release()
    return True
