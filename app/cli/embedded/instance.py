"""One data folder brought to life: its servers, the API, the worker and the clock, as children to supervise."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from app.cli.embedded.command import Command, base_environment, python_command
from app.cli.embedded.environment import GivenSettings, Services, child_environment, fill_gaps, read_given
from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.files import private_folder, read_json, write_json
from app.cli.embedded.migrations import upgrade_arguments
from app.cli.embedded.ports import LOOPBACK, free_port
from app.cli.embedded.postgres import PostgresServer
from app.cli.embedded.running import running_instance
from app.cli.embedded.secrets import load_or_create_secrets
from app.cli.embedded.simulator import SIMULATOR_FOLDER, PaymentSimulator
from app.cli.embedded.supervisor import ChildSpec
from app.cli.embedded.valkey import ValkeyServer
from app.core.config import Settings, load_settings
from app.core.metrics import FOLDER as METRICS_FOLDER

PORTS_FILE = "ports.json"
PORTS = ("postgres", "valkey", "smtp", "mailbox", "simulator")
API_START_SECONDS = 300
DRAIN_SECONDS = 15
METRICS = "metrics"
PROTOCOL = "app.api.serving:DrainingProtocol"


@dataclass(frozen=True)
class Instance:
    """Everything `up` needs to know about a data folder; None where an outside service is used.

    `filled` are the settings that no person has set; migrations use `database_url`; `compares_vectors` tells whether
    vectors may stand in the database.
    """

    folder: Path
    host: str
    port: int
    filled: dict[str, str]
    database_url: str
    postgres: PostgresServer | None
    valkey: ValkeyServer | None
    mailbox_ports: tuple[int, int] | None
    simulator: PaymentSimulator | None
    compares_vectors: bool

    @property
    def url(self) -> str:
        """Where a browser on this machine reaches the API."""
        return f"http://{local_address(self.host)}:{self.port}"

    @property
    def mailbox_url(self) -> str:
        """Where sent mail can be read; empty if it really goes out."""
        return f"http://{LOOPBACK}:{self.mailbox_ports[1]}" if self.mailbox_ports else ""

    @property
    def simulator_url(self) -> str:
        """Where payments are simulated; empty if they are not."""
        return self.simulator.url if self.simulator else ""


def prepare(folder: Path, host: str, port: int, given: GivenSettings) -> Instance:
    """Make what is missing in a data folder (keys, ports, folders). Raises `SettingsError` and `EmbeddedError`."""
    load_or_create_secrets(folder)
    for name in ("logs", "blobs", SIMULATOR_FOLDER):
        private_folder(folder / name)
    shutil.rmtree(folder / METRICS, ignore_errors=True)  # of processes that are gone
    private_folder(folder / METRICS)
    return _describe(folder, host, port, given, _keep_ports(folder))


def settings_of_running(folder: Path) -> Settings:
    """The settings of a running `up`, for commands that work on its database. Raises `EmbeddedError`."""
    record = running_instance(folder)
    if record is None:
        raise EmbeddedError(f"LifeVault is not running in {folder}: start it with `lifevault up`.")
    place = urlsplit(record.url)
    ports = read_json(folder / PORTS_FILE)
    return load_settings(**_describe(folder, place.hostname or LOOPBACK, place.port or 0, read_given(), ports).filled)


def _describe(folder: Path, host: str, port: int, given: GivenSettings, ports: Mapping[str, int]) -> Instance:
    secrets = load_or_create_secrets(folder)
    own_database, own_redis = not given.has("database_url"), not given.has("redis_url")
    own_mail = given.environment != "production" and not given.has("smtp_url")
    postgres = PostgresServer(folder / "postgres", secrets.postgres, ports["postgres"]) if own_database else None
    valkey = ValkeyServer(folder / "valkey", secrets.valkey_password, ports["valkey"]) if own_redis else None
    public_url = f"http://{local_address(host)}:{port}"
    simulator = PaymentSimulator.find(folder, ports.get("simulator"), given, secrets, public_url)
    services = Services(
        database_url=postgres.urls.app if postgres else None,
        migration_database_url=postgres.urls.owner if postgres else None,
        redis_url=valkey.url if valkey else None,
        smtp_url=f"smtp://{LOOPBACK}:{ports['smtp']}" if own_mail else None,
        mailbox_url=f"http://{LOOPBACK}:{ports['mailbox']}" if own_mail else None,
        simulator_url=simulator.url if simulator else None,
    )
    return Instance(
        folder=folder,
        host=host,
        port=port,
        filled=fill_gaps(given, folder, secrets, services, public_url),
        database_url=postgres.urls.owner if postgres else given.migration_url,
        postgres=postgres,
        valkey=valkey,
        mailbox_ports=(ports["smtp"], ports["mailbox"]) if own_mail else None,
        simulator=simulator,
        compares_vectors=given.vector_index == "pgvector",
    )


def local_address(host: str) -> str:
    """How this machine itself reaches a server that listens on `host`."""
    address = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}.get(host, host)  # noqa: S104  compared, not bound
    return f"[{address}]" if ":" in address else address


def service_specs(instance: Instance) -> list[ChildSpec]:
    """The servers that the application needs; they start together."""
    specs = []
    if (postgres := instance.postgres) is not None:
        specs.append(_postgres_spec(postgres))
    if (valkey := instance.valkey) is not None:
        specs.append(_valkey_spec(valkey))
    if instance.mailbox_ports is not None:
        specs.append(_mailbox_spec(instance.folder, instance.mailbox_ports))
    if (simulator := instance.simulator) is not None:
        specs.append(_simulator_spec(simulator))
    return specs


def application_specs(instance: Instance, listener: int) -> list[ChildSpec]:
    """API, worker and clock; `listener` is the file number of the socket that the API answers on."""

    async def api_is_ready(_pid: int) -> bool:
        return await answers_ready(instance.url)

    concurrency = max(2, min(4, (os.cpu_count() or 1) // 2))
    serve = ("-m", "uvicorn", "app.main:app", "--fd", str(listener), "--http", PROTOCOL)
    quiet = ("--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-graceful-shutdown", "10")
    celery = ("-m", "celery", "-A", "app.worker")
    lonely = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return [
        ChildSpec(
            "api",
            lambda: _python(instance, *serve, *quiet, inherited=(listener,)),
            is_ready=api_is_ready,
            start_seconds=API_START_SECONDS,
            stop_seconds=DRAIN_SECONDS,
        ),
        ChildSpec(
            "worker",
            lambda: _python(instance, *celery, "worker", "--concurrency", str(concurrency), *lonely),
            is_ready=_has_children,
            stop_seconds=DRAIN_SECONDS,
        ),
        ChildSpec("beat", lambda: _python(instance, *celery, "beat", "--pidfile="), stop_seconds=DRAIN_SECONDS),
    ]


def migration_spec(instance: Instance) -> ChildSpec:
    """One run of the migrations."""
    environment = child_environment(instance.filled)
    command = python_command(instance.folder, environment, *upgrade_arguments())
    return ChildSpec("migrations", lambda: command)


async def _has_children(pid: int) -> bool:
    """A worker forks its pool once everything is imported."""
    try:
        return bool(psutil.Process(pid).children())
    except psutil.Error:
        return False


async def answers_ready(url: str, *, timeout_seconds: float = 10) -> bool:
    """Whether the API says that it and everything it needs is well."""
    place = urlsplit(url)
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                writer.write(
                    f"GET /health/ready HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode()
                )
                return (await reader.readline()).split(b" ")[1:2] == [b"200"]
            finally:
                writer.close()
    return False


def _keep_ports(folder: Path) -> dict[str, int]:
    """The ports of the last start, where they are still free."""
    path = folder / PORTS_FILE
    known = read_json(path)
    ports: dict[str, int] = {}
    for name in PORTS:
        port = free_port(known.get(name))
        while port in ports.values():
            port = free_port()
        ports[name] = port
    if ports != known:
        write_json(path, ports)
    return ports


def _python(instance: Instance, *arguments: str, inherited: tuple[int, ...] = ()) -> Command:
    """A part of the application; it doesn't get to know the password of the owner of the tables."""
    filled = {name: value for name, value in instance.filled.items() if name != "migration_database_url"}
    environment = {**child_environment(filled), METRICS_FOLDER: str(instance.folder / METRICS)}
    return python_command(instance.folder, environment, *arguments, inherited=inherited)


def _postgres_spec(server: PostgresServer) -> ChildSpec:
    async def is_ready(pid: int) -> bool:
        return server.is_ready(pid)

    return ChildSpec(
        "postgres",
        server.command,
        is_ready,
        before_start=server.take_over,
        stop_seconds=60,
        impatient_signal=signal.SIGQUIT,  # quicker, and what was committed is kept
    )


def _valkey_spec(server: ValkeyServer) -> ChildSpec:
    async def is_ready(_pid: int) -> bool:
        return server.is_ready()

    return ChildSpec("valkey", server.command, is_ready)


def _mailbox_spec(folder: Path, ports: tuple[int, int]) -> ChildSpec:
    arguments = ("-m", "app.cli.embedded.mailbox", *map(str, ports))
    command = python_command(folder, base_environment(), *arguments)

    async def is_ready(_pid: int) -> bool:
        return await accepts(ports[0]) and await accepts(ports[1])

    return ChildSpec("mailbox", lambda: command, is_ready)


def _simulator_spec(simulator: PaymentSimulator) -> ChildSpec:
    async def is_ready(_pid: int) -> bool:
        return await accepts(simulator.port)

    return ChildSpec("simulator", simulator.command, is_ready)


async def accepts(port: int) -> bool:
    """Whether a server listens on a loopback port."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
