"""A streaming replica of the tests' PostgreSQL, made by pg_basebackup."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil

from app.cli.embedded.command import run, start, stop
from app.cli.embedded.files import private_folder
from app.cli.embedded.ports import LOOPBACK, free_port
from app.cli.embedded.postgres import PostgresPasswords, PostgresServer, PostgresUrls
from tests.conftest import at

RULE = f"host replication all {LOOPBACK}/32 scram-sha-256"
START_SECONDS = 60


@dataclass
class ReplicaServer:
    """A replica that can be paused, killed and started again."""

    server: PostgresServer
    log: Path
    superuser: str

    def url(self, database: str) -> str:
        """Where the application reaches a database of it."""
        return at(self.server.urls.app, database)

    async def pause(self) -> None:
        """Let it show nothing new from now on."""
        await self._run("SELECT pg_wal_replay_pause()")
        await self._until("pg_get_wal_replay_pause_state() = 'paused'")

    async def resume(self) -> None:
        await self._run("SELECT pg_wal_replay_resume()")

    async def catch_up(self, position: str) -> None:
        """Wait until it shows all that was in the log by then."""
        await self._until(f"pg_last_wal_replay_lsn() >= '{position}'::pg_lsn")

    async def promote(self) -> None:
        await self._run("SELECT pg_promote()")

    async def _until(self, condition: str) -> None:
        waiting = f"DO $$ BEGIN WHILE NOT ({condition}) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$"
        async with asyncio.timeout(START_SECONDS):
            await self._run(waiting)

    async def _run(self, query: str) -> object:
        connection = await asyncpg.connect(self.superuser)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        command = self.server.command()
        process = start(command, self.log)
        try:
            until = time.monotonic() + START_SECONDS
            while not self.server.is_ready(process.pid):
                assert process.poll() is None, self.log.read_text()
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.02)
            self._process = process
            yield
        finally:
            stop(process, command.stop_signal)

    def freeze(self, *, frozen: bool = True) -> None:
        """Let it answer nothing, without closing anything."""
        for each in (psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)):
            each.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)


async def make_replica(postgres: PostgresUrls, folder: Path) -> ReplicaServer:
    """A copy of the whole cluster that follows it; it is not started yet."""
    connection = await asyncpg.connect(postgres.superuser)
    await connection.execute(f"COPY (SELECT '{RULE}') TO PROGRAM 'cat >> pg_hba.conf'")  # in the folder of the cluster
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("CHECKPOINT")
    await connection.close()
    words = {name: urlsplit(getattr(postgres, name)).password or "" for name in ("superuser", "owner", "app")}
    private_folder(folder / "replica")
    primary = PostgresServer(folder / "none", PostgresPasswords(**words), free_port(), durable=False)
    server = PostgresServer(folder / "replica", PostgresPasswords(**words), free_port(), durable=False)
    server.cluster.mkdir(mode=0o700)
    server._user = primary._user
    server._hand_over(server.folder, server.cluster)
    source = at(postgres.superuser, "postgres")
    run(
        server._command(
            "pg_basebackup",
            server.cluster,
            *(
                "-d",
                source,
                "-D",
                str(server._seen_from(server.cluster)),
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
                "--no-sync",
            ),
        )
    )
    return ReplicaServer(server, folder / "replica.log", at(server.urls.superuser, "postgres"))
