"""What /metrics shows, of one process and of several."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.db.session import session_scope
from app.db.slow import slow_log, without_values
from tests.conftest import drain_jobs
from tests.factories import auth, make_item, make_user, make_vault
from tests.serving import api_process, environment_of, lives
from tests.stack import free_port

pytestmark = pytest.mark.anyio
START_SECONDS = 90


def value(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_queue_jobs_pool_and_caches_are_shown(own_database, client, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    item = await make_item(owner, vault)
    before = (await client.get("/metrics")).text
    await client.get(f"/v1/vault/items/{item.id}", headers=auth(owner))
    await client.get(f"/v1/vault/items/{item.id}", headers=auth(owner))
    await drain_jobs(settings)
    after = (await client.get("/metrics")).text

    assert value(before, "lifevault_outbox_events") >= 1
    assert value(before, "lifevault_outbox_oldest_seconds") > 0
    assert value(after, "lifevault_outbox_events") == 0
    assert value(after, 'lifevault_jobs{state="queued"}') == 0
    for name in (
        "lifevault_queue_messages",
        "lifevault_job_oldest_seconds",
        'lifevault_breaker_open{service="database"}',
    ):
        assert f"{name} " in after
    hits = 'lifevault_cache_requests_total{cache="keys",outcome="hit"}'
    assert value(after, hits) > value(before, hits)
    assert value(after, "lifevault_database_connections") >= value(after, "lifevault_database_connections_in_use") >= 0
    assert len(re.findall(r'lifevault_job_runs_total\{kind="[a-z._]+",outcome="succeeded"\}', after)) > 0
    names = re.findall(r"^# HELP (\S+)", after, re.MULTILINE)
    assert len(names) == len(set(names))


@contextmanager
def workers(settings: Settings, port: int, folder: Path) -> Iterator[psutil.Process]:
    """The API with two workers that share a folder for what they count."""
    environment = environment_of(settings) | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    options = ("--workers", "2", "--http", "app.api.serving:DrainingProtocol")
    with api_process(environment, port, *options) as process:
        wait_for(lambda: len({file.stem.split("_")[-1] for file in folder.glob("counter_*.db")}) >= 2)
        yield psutil.Process(process.pid)
        process.terminate()
        process.wait(30)


def wait_for(condition) -> None:
    until = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_several_workers_show_the_sum_whichever_is_asked(settings, tmp_path):
    port, name = free_port(), 'lifevault_http_requests_total{method="GET",route="unmatched",status="404"}'
    url = f"http://127.0.0.1:{port}"
    client = httpx.Client(base_url=url, timeout=30, headers={"Connection": "close"})
    with workers(settings, port, tmp_path) as parent, client:
        for _ in range(30):
            assert client.get("/v1/nothing").status_code == 404
        shown = {value(client.get("/metrics").text, name) for _ in range(10)}
        in_flight = {value(client.get("/metrics").text, "lifevault_http_requests_in_flight") for _ in range(4)}
        serving = [each for each in parent.children(recursive=True) if files_of(tmp_path, each.pid)]
        serving[0].send_signal(signal.SIGKILL)
        serving[0].wait(30)
        wait_for(lambda: lives(port))
        after = value(client.get("/metrics").text, name)
        left = files_of(tmp_path, serving[0].pid, "gauge_live*")

    assert shown == {30.0}
    assert in_flight == {1.0}
    assert len(serving) == 2
    assert (after, left) == (30.0, [])


def files_of(folder: Path, pid: int, kind: str = "*") -> list[Path]:
    return list(folder.glob(f"{kind}_{pid}.db"))


async def test_slow_statements_are_logged_without_their_values(runtime, capfd):
    slow_log.set(0.02)
    try:
        async with session_scope() as session:
            statement = text("SELECT pg_sleep(0.03), 'kestrelmarble', CAST(:value AS text)")
            await session.execute(statement, {"value": "juniperbrass"})
    finally:
        slow_log.set(runtime.settings.slow_query_seconds)

    logged = capfd.readouterr().err
    assert "slow statement" in logged
    assert "SELECT pg_sleep(?), ?, CAST($1" in logged
    assert "kestrelmarble" not in logged
    assert "juniperbrass" not in logged


def test_no_value_of_a_statement_is_left():
    sql = (
        "SELECT set_config('app.principal', 'user:it''s me', true); SELECT a1 FROM t WHERE b = 17.5 AND c = $2 LIMIT 20"
    )

    assert without_values(sql) == "SELECT set_config(?, ?, true); SELECT a1 FROM t WHERE b = ? AND c = $2 LIMIT ?"
