"""The database: whether it answers, as whom, with which schema, and whether every data key can be opened."""

from typing import Any, Final

from sqlalchemy import func, select, text

from app.cli.checking.finding import Finding
from app.cli.embedded.migrations import is_current
from app.core.clock import utc_now
from app.core.config import Settings
from app.core.config_units import MIB
from app.core.crypto import RootKeys
from app.db.models import DataKeyRow
from app.db.replicas import FAILURES, Replica, position_of
from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.rag.pgvector.table import ADVICE, TABLE

OLDEST: Final = 15
MOST_SKEW_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 120
SAMPLE: Final = 20
MOST_BEHIND_BYTES: Final = 16 * MIB  # a file of the log
PLACE: Final = text("SELECT vault_changes_place()")

ABOUT = text(
    """SELECT current_setting('server_version_num')::int / 10000 AS version, now() AS now, current_user AS role,
    (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS mighty,
    (SELECT installed_version FROM pg_available_extensions WHERE name = 'vector') AS vector,
    (SELECT count(*) FROM pg_available_extensions WHERE name = 'vector') AS has_vector,
    to_regclass(:vectors) AS vectors"""
)
WAITING = text(
    "SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM jobs WHERE state = 'queued' AND due_at < now()"
)


async def check_server(settings: Settings) -> list[Finding]:
    """Version, role, extensions and clock."""
    async with session_scope() as session:
        row = (await session.execute(ABOUT, {"vectors": TABLE})).one()
    vector = _place_of_vectors(row) if settings.vector_index == "pgvector" else _vector(row)
    return [_version(row), _role(row), vector, _clock(row)]


def _version(row: Any) -> Finding:
    detail = f"PostgreSQL {row.version}; {OLDEST} or newer is needed"
    return Finding("database", "ok" if row.version >= OLDEST else "failed", detail)


def _role(row: Any) -> Finding:
    if row.mighty:
        return Finding("role", "failed", f"{row.role} is above row-level security")
    return Finding("role", "ok", f"{row.role}, under row-level security")


def _vector(row: Any) -> Finding:
    words = {True: "available", False: "not available"}[bool(row.has_vector)]
    detail = f"vector {row.vector} is installed" if row.vector else f"vector is {words}; nothing needs it by default"
    return Finding("extensions", "ok", detail)


def _place_of_vectors(row: Any) -> Finding:
    if row.vectors:
        return Finding(
            "extensions", "ok", f"vector {row.vector} compares the vectors of vaults whose owners chose that"
        )
    if not row.has_vector:
        return Finding("extensions", "failed", f"this PostgreSQL lacks vector (pgvector): install it there, {ADVICE}")
    return Finding("extensions", "failed", f"vectors have no place in the database: run lifevault migrate, {ADVICE}")


def _clock(row: Any) -> Finding:
    skew = abs((utc_now() - row.now).total_seconds())
    return Finding("clock", "ok" if skew < MOST_SKEW_SECONDS else "failed", f"{skew:.1f} s from the database's")


async def check_schema(settings: Settings) -> list[Finding]:
    """Whether every migration has been run."""
    if await is_current(settings.migration_url):
        return [Finding("migrations", "ok", "the newest schema")]
    return [Finding("migrations", "failed", "an older schema, or none: run lifevault migrate")]


async def check_keys(settings: Settings) -> list[Finding]:
    """Whether the root keys open the data keys: a few of each root key that wraps any."""
    roots = RootKeys(settings.root_key_ring)
    async with session_scope() as session:
        versions = {int(row.root_version): int(row.n) for row in await session.execute(_counts())}
        wrapped = [row for version in versions for row in await session.scalars(_sample(version))]
    if missing := sorted(versions.keys() - settings.root_key_ring.keys()):
        lost = sum(versions[version] for version in missing)
        return [Finding("keys", "failed", f"root key {', '.join(map(str, missing))} is missing: {lost} keys are shut")]
    for row in wrapped:
        roots.unwrap(row.wrapped, row.root_version, row.purpose, row.owner_id, row.version)
    if not settings.root_key_ring:
        return [Finding("keys", "failed", "LIFEVAULT_ROOT_KEYS is not set")]
    detail = (
        f"{sum(versions.values())} data keys under root keys {', '.join(map(str, sorted(versions))) or 'yet unused'}"
    )
    older = sorted(versions.keys() - {roots.current})
    return [Finding("keys", "warning" if older else "ok", detail + ("; run keys rotate-root" if older else ""))]


def _counts() -> Any:
    return select(DataKeyRow.root_version, func.count().label("n")).group_by(DataKeyRow.root_version)


def _sample(version: int) -> Any:
    return select(DataKeyRow).where(DataKeyRow.root_version == version).limit(SAMPLE)


async def check_work() -> list[Finding]:
    """Whether anybody does the background work."""
    async with session_scope() as session:
        seconds = float(await session.scalar(WAITING) or 0)
    if seconds > LONGEST_WAIT_SECONDS:
        return [Finding("worker", "warning", f"a job has waited for {seconds:.0f} s: is a worker running?")]
    return [Finding("worker", "ok", "no job waits for long")]


async def check_replicas(settings: Settings) -> list[Finding]:
    """Whether each replica answers, follows this database, and how far it is behind."""
    runtime = current()
    if runtime.replicas is None:
        return []
    async with session_scope() as session:
        here = await session.scalar(PLACE)
    found = []
    for replica in runtime.replicas.all:
        try:
            found.append(await _replica(settings, runtime, replica, here))
        except FAILURES as error:
            found.append(Finding(replica.name, "failed", f"it does not answer ({type(error).__name__})"))
    return found


async def _replica(settings: Settings, runtime: Runtime, replica: Replica, here: Any) -> Finding:
    assert runtime.replicas is not None  # noqa: S101
    primary = await position_of(runtime.engine)
    seen = await runtime.replicas.look(runtime.engine, replica)
    async with replica.engine.connect() as connection:
        place = await connection.scalar(PLACE)
    if place != here:
        return Finding(replica.name, "failed", "it is of another database")
    if not seen.follows:
        return Finding(replica.name, "failed", "it follows nobody: it was promoted, or is no replica")
    behind = max(0, primary - seen.position)
    is_late = seen.behind_seconds > settings.replica_lag_seconds
    return Finding(replica.name, "warning" if is_late or behind > MOST_BEHIND_BYTES else "ok", f"{behind} bytes behind")
