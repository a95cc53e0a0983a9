"""The embedded PostgreSQL: private, in three roles, and hard to kill."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest

from app.cli.embedded.command import ServiceUser
from app.cli.embedded.files import write_json
from app.cli.embedded.postgres import PostgresUrls, embedded_postgres
from tests.cli.programs import SLEEP, start, start_python

pytestmark = pytest.mark.slow

OWNER = """
import sys
from pathlib import Path
from app.cli.embedded.postgres import embedded_postgres

with embedded_postgres(Path(sys.argv[1]), durable=False):
    print("ready", flush=True)
    sys.stdin.read()
"""
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("einé Datenbank")


@pytest.fixture(scope="module")
def urls(folder: Path):
    with embedded_postgres(folder, durable=False) as urls:
        yield urls


async def query(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postgres" / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0]))


@pytest.mark.parametrize("role", ["superuser", "owner", "app"])
async def test_nobody_comes_in_without_the_right_password(urls: PostgresUrls, role: str):
    parts = urlsplit(getattr(urls, role))
    for credentials in (parts.username, f"{parts.username}:wrong"):
        stranger = urlunsplit(parts._replace(netloc=f"{credentials}@{parts.hostname}:{parts.port}"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(stranger, "SELECT 1")


def test_the_server_listens_on_loopback_only_and_on_no_socket_file(urls: PostgresUrls, folder: Path):
    listening = [c for c in postmaster(folder).net_connections("all") if c.status == psutil.CONN_LISTEN]

    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


async def test_the_role_of_the_application_owns_nothing_and_has_no_powers(urls: PostgresUrls):
    [powers] = await query(
        urls.app,
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication AS any_power,"
        " (SELECT count(*) FROM pg_shdepend WHERE refobjid = pg_roles.oid AND deptype = 'o') AS owned,"
        " (SELECT count(*) FROM pg_auth_members WHERE member = pg_roles.oid) AS memberships"
        " FROM pg_roles WHERE rolname = 'lifevault_app'",
    )

    assert dict(powers) == {"any_power": False, "owned": 0, "memberships": 0}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await query(urls.app, "CREATE TABLE mine (id int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await query(urls.app, "SET ROLE lifevault_owner")


async def test_row_security_holds_for_the_application_and_for_the_owner_when_forced(urls: PostgresUrls):
    connection = await asyncpg.connect(urls.owner)
    await connection.execute(
        "CREATE TABLE papers (id int); INSERT INTO papers VALUES (1);"
        "ALTER TABLE papers ENABLE ROW LEVEL SECURITY; ALTER TABLE papers FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY nobody ON papers USING (false); GRANT SELECT ON papers TO lifevault_app"
    )
    await connection.close()

    assert await query(urls.owner, "SELECT * FROM papers") == []
    assert await query(urls.app, "SELECT * FROM papers") == []
    connection = await asyncpg.connect(urls.app)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("SET row_security = off; SELECT * FROM papers")
    await connection.close()


async def test_an_error_leaves_neither_statement_nor_values_in_the_log(urls: PostgresUrls, folder: Path):
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await query(urls.app, "SELECT 'marmalade'::int")

    assert "marmalade" not in (folder / "postgres.log").read_text()


async def test_data_is_checked_and_times_are_utc(urls: PostgresUrls):
    [row] = await query(
        urls.app,
        "SELECT current_setting('data_checksums') AS checksums, current_setting('timezone') AS zone,"
        " (SELECT datlocale FROM pg_database WHERE datname = current_database()) AS locale",
    )

    assert dict(row) == {"checksums": "on", "zone": "UTC", "locale": "C.UTF-8"}


def test_what_was_committed_survives_a_killed_server_and_the_address_stays(tmp_path: Path):
    with embedded_postgres(tmp_path) as urls:
        asyncio.run(query(urls.owner, "CREATE TABLE kept AS SELECT generate_series(1, 200) AS id"))
        postmaster(tmp_path).kill()
    with embedded_postgres(tmp_path) as later:
        [row] = asyncio.run(query(later.owner, "SELECT count(*) FROM kept"))

    assert row["count"] == 200
    assert later == urls


def test_a_pid_file_that_names_a_strangers_process_does_not_stop_the_start_nor_the_stranger(tmp_path: Path):
    with embedded_postgres(tmp_path, durable=False):
        pid_file = tmp_path / "postgres" / "cluster" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    with start(*SLEEP) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        with embedded_postgres(tmp_path, durable=False) as urls:
            assert asyncio.run(query(urls.app, "SELECT 1"))
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_left_behind_is_stopped_before_the_next_one_starts(tmp_path: Path):
    with embedded_postgres(tmp_path, durable=False) as urls:
        first = postmaster(tmp_path)
        with embedded_postgres(tmp_path, durable=False) as later:
            assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
            assert asyncio.run(query(later.app, "SELECT 1"))
            assert urlsplit(later.app).port != urlsplit(urls.app).port


def test_a_cluster_that_was_left_half_made_is_made_anew(tmp_path: Path):
    (tmp_path / "postgres" / "cluster.new").mkdir(parents=True)
    (tmp_path / "postgres" / "cluster.new" / "PG_VERSION").write_text("18")

    with embedded_postgres(tmp_path, durable=False) as urls:
        assert asyncio.run(query(urls.app, "SELECT 1"))


def test_a_taken_port_is_given_up_for_another(tmp_path: Path):
    with embedded_postgres(tmp_path / "first", durable=False) as first:
        (tmp_path / "second").mkdir()
        taken = urlsplit(first.app).port
        passwords = {"superuser": "a" * 32, "owner": "b" * 32, "app": "c" * 32}
        write_json(tmp_path / "second" / "postgres.json", {"port": taken, "passwords": passwords})
        with embedded_postgres(tmp_path / "second", durable=False) as second:
            assert urlsplit(second.app).port != taken


@as_root
def test_as_root_the_server_runs_as_somebody_else_below_a_folder_that_only_root_may_enter(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with embedded_postgres(closed / "data", durable=False) as urls:
        server = postmaster(closed / "data")
        assert asyncio.run(query(urls.app, "SELECT 1"))
        assert server.uids().effective == ServiceUser.find(tmp_path / "absent").uid != 0

    assert closed.stat().st_mode & 0o777 == 0o700
    assert (closed / "data").stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_can_run_it():
    user = ServiceUser.find(Path("absent"))
    site = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{Path(__file__).parents[2]}:{site}"}
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, user.uid, user.gid)
        for python in (sys.executable, "/usr/bin/python3"):
            options = {"user": user.uid, "group": user.gid, "extra_groups": [], "env": environment, "cwd": "/"}
            try:
                probe = start(python, "-c", "import app.cli.embedded.postgres", **options, **PIPES)
                probe.communicate(timeout=60)
                if probe.returncode:
                    continue  # this checkout, or what it needs, is closed to other users
                owner = start(python, "-c", OWNER, f"{home}/an ordinary folder", **options, **PIPES)
            except PermissionError:
                continue
            assert owner.communicate(timeout=120)[0] == b"ready\n"
            return
    pytest.skip("no Python here that another user may run")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start stops what was left")
def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path):
    with start_python(OWNER, tmp_path, **PIPES) as owner:
        assert owner.stdout.readline() == b"ready\n"
        server = postmaster(tmp_path)
        owner.send_signal(signal.SIGKILL)
    server.wait(30)

    assert not server.is_running()
