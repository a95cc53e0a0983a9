"""After a killed `up`: its processes are known again, and nobody else's are touched."""

import os
import subprocess
from dataclasses import replace

import psutil

from app.cli.embedded.processes import RUN_ID, ProcessMark, RunRecord, stop_leftovers
from tests.cli.programs import SLEEP, start, start_python

POOL = "import os, time; os.fork(); print(os.getpid(), flush=True); time.sleep(60)"


def record_of(*marks: ProcessMark) -> RunRecord:
    here = ProcessMark.take("up", os.getpid())
    return RunRecord("this-run", here, "http://127.0.0.1:1", "", ready=True, children=marks)


def sleeper() -> subprocess.Popen[bytes]:
    return start(*SLEEP, start_new_session=True)


def test_a_process_that_was_left_behind_is_stopped():
    with sleeper() as process:
        assert stop_leftovers(record_of(ProcessMark.take("valkey", process.pid))) == ["valkey"]
        assert not psutil.pid_exists(process.pid)


def test_a_strangers_process_that_got_the_same_id_is_left_alone():
    with sleeper() as process:
        mark = ProcessMark.take("worker", process.pid)
        older = replace(mark, created=mark.created - 3_600)
        other_program = replace(mark, program="python3")

        assert stop_leftovers(record_of(older, other_program)) == []
        assert process.poll() is None
        process.kill()


def test_an_id_that_nobody_has_any_more_is_no_problem():
    with sleeper() as process:
        mark = ProcessMark.take("beat", process.pid)
        process.kill()

    assert stop_leftovers(record_of(mark)) == []


def test_pool_processes_of_a_dead_worker_are_found_by_the_mark_of_the_run():
    for run_id, survives in (("this-run", False), ("another-run", True)):
        environment = {"PATH": os.environ["PATH"], RUN_ID: run_id}
        with start_python(POOL, env=environment, start_new_session=True, stdout=subprocess.PIPE) as worker:
            pids = {int(worker.stdout.readline()), int(worker.stdout.readline())}
            mark = ProcessMark.take("worker", worker.pid)
            worker.kill()
            worker.wait()
            [member] = pids - {worker.pid}
            member = psutil.Process(member)

            stop_leftovers(record_of(mark))

            gone, _ = psutil.wait_procs([member], timeout=0.5 if survives else 10)
            alive = not gone and member.status() != psutil.STATUS_ZOMBIE
            assert alive == survives
            if alive:
                member.kill()


def test_a_record_survives_the_way_to_the_disk_and_back():
    record = record_of(ProcessMark.take("api", os.getpid()))

    assert RunRecord.from_json(record.to_json()) == record
    assert RunRecord.from_json({}) is None
    assert RunRecord.from_json({"supervisor": {"surprise": 1}, "children": []}) is None
