"""Reads from replicas: only what is as fresh there, for whoever asks, as it would be on the primary.

Whether somebody is signed in is asked on the primary, each time. It says, too, which transaction was the last to change
anything that concerns them: in a vault of theirs, in their memberships, in what is theirs alone (all that the feed of
changes notes). A replica is read from when it shows that transaction: a removed member gets nothing from the moment of
the removal, and everybody sees what others and the worker have done. What the feed does not note, such as somebody's
settings, is as they left it themselves (see `app.db.pins`), and at most so many seconds old otherwise.

A replica that is away, too far behind, or no replica any more is passed over; the primary is always there.
"""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, cast
from urllib.parse import urlsplit

from prometheus_client import Counter, Gauge
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.config import Settings
from app.core.logging import get_log
from app.core.redis_calls import RedisAway
from app.db.driver import ERRORS, Driver, as_database_error
from app.db.engine import make_engine, role_of
from app.db.gate import DatabaseAway, Gate
from app.db.pins import Pins
from app.db.transaction import Actor, Transaction

PAUSE_SECONDS: Final = 5.0
SAMPLE_SECONDS: Final = 0.1
MOST_SAMPLES: Final = 1_000
FAILURES: Final = (*ERRORS, DBAPIError, PoolTimeout)

# Row-level security is that of the person.
CONCERNING: Final = """SELECT coalesce(greatest(
  (SELECT c.xid FROM vault_changes c WHERE c.kind = 'access' AND c.subject_id = $1
   ORDER BY c.xid DESC, c.number DESC LIMIT 1),
  (SELECT c.xid FROM vault_changes c WHERE c.user_id = $1 ORDER BY c.xid DESC, c.number DESC LIMIT 1),
  (SELECT max(n.xid) FROM vault_members m, LATERAL (
    SELECT c.xid FROM vault_changes c WHERE c.vault_id = m.vault_id ORDER BY c.xid DESC, c.number DESC LIMIT 1
  ) n WHERE m.user_id = $1)
), 0) AS newest, (pg_current_wal_lsn() - '0/0')::bigint AS position"""
POSITION: Final = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
# One that was promoted counts transactions of its own, and is no replica any more.
STATE: Final = """SELECT pg_is_in_recovery() AS follows,
  coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint AS position,
  coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float AS age,
  $1::bigint = 0 OR pg_visible_in_snapshot($1::bigint::text::xid8, pg_current_snapshot()) AS shows"""

reads: Final = Counter(
    "lifevault_replica_reads_total", "Reads that a replica could answer, by what came of it.", ["outcome"]
)
lag: Final = Gauge(
    "lifevault_replica_lag_seconds",
    "How old what a replica shows is at most, when it was last asked.",
    ["replica"],
    multiprocess_mode="livemax",
)
log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a replica says of itself: whether it follows, how many seconds it is behind, and where it is."""

    follows: bool
    behind_seconds: float
    position: int


class Samples:
    """When the log of the primary was how long, as far as it was seen: by it the lag of replicas is told in seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=MOST_SAMPLES)

    def add(self, position: int) -> None:
        """The log is at this place now."""
        now = time.monotonic()
        if not self._samples or (now >= self._samples[-1][0] + SAMPLE_SECONDS and position > self._samples[-1][1]):
            self._samples.append((now, position))

    def seconds_behind(self, position: int, age: float) -> float:
        """How long ago the log first went beyond this place; 0 if it was not seen to.

        When it is beyond in all that was seen, `age` says it: that of the last commit that the replica shows.
        """
        beyond = next((at for at, place in self._samples if place > position), None)
        if beyond is None:
            return 0.0
        seconds = time.monotonic() - beyond
        return max(seconds, age) if beyond == self._samples[0][0] else seconds


@dataclass
class Replica:
    """One replica; its name has no secret in it."""

    name: str
    engine: AsyncEngine
    gate: Gate
    role: str | None

    def transaction(self, info: dict[Any, Any]) -> Transaction:
        """One on it, for the actor of `info`."""
        info.update(role=self.role, gate=self.gate)
        return Transaction(self.engine.sync_engine, info)


class Replicas:
    """Those of this process."""

    def __init__(self, settings: Settings, pins: Pins) -> None:
        self.all = [_replica(settings, url) for url in settings.replica_urls]
        self.pins = pins
        self._most_seconds = settings.replica_lag_seconds
        self._samples = Samples()
        self._turn = count()

    async def take_over(self, primary: Transaction, actor: Actor, info: dict[Any, Any]) -> Transaction:
        """A transaction in the place of one on the primary that has begun for a person: on a replica, or the same."""
        if actor.person is None:
            return primary
        try:
            needed = await self.pins.position_of(actor.setting)
        except RedisAway:
            reads.labels("unsure").inc()
            return primary
        newest = await self._newest(await primary.driver(), actor.person)
        outcome = "away"
        for replica in self._in_turn():
            other = replica.transaction(dict(info))
            try:
                outcome = await self._judge(replica, other, newest, needed)
            except FAILURES as error:
                log.warning("replica passed over", replica=replica.name, error=type(error).__name__)
                outcome = "away"
                if not isinstance(error, DatabaseAway):
                    replica.gate.failed()
            except BaseException:  # whoever asked has gone
                await other.end()
                raise
            if outcome == "replica":
                info.update(role=replica.role, gate=replica.gate)
                other.go_by(info)
                await primary.end()
                break
            await other.end()
        else:
            other = primary
        reads.labels(outcome).inc()
        return other

    async def _newest(self, driver: Driver, person: str) -> int:
        try:
            row = await driver.fetchrow(CONCERNING, person)
        except ERRORS as error:
            raise as_database_error(error) from error
        assert row is not None  # noqa: S101
        self._samples.add(row["position"])
        return int(row["newest"])

    def _in_turn(self) -> Iterable[Replica]:
        first = next(self._turn) % len(self.all)
        return (*self.all[first:], *self.all[:first])

    async def _judge(self, replica: Replica, transaction: Transaction, newest: int, needed: int) -> str:
        """Whether a replica is good enough; its transaction has begun then. Raises one of `FAILURES`."""
        await transaction.begin()
        seen, shows = await self._ask(replica, await transaction.driver(), newest)
        if not seen.follows or seen.behind_seconds > self._most_seconds:
            return "away"
        return "replica" if shows and seen.position >= needed else "behind"

    async def _ask(self, replica: Replica, driver: Driver, newest: int) -> tuple[Seen, bool]:
        row = await driver.fetchrow(STATE, newest, timeout=replica.gate.seconds)
        assert row is not None  # noqa: S101
        behind = self._samples.seconds_behind(row["position"], row["age"])
        lag.labels(replica.name).set(round(behind, 3))
        return Seen(row["follows"], behind, row["position"]), bool(row["shows"])

    async def look(self, engine: AsyncEngine, replica: Replica) -> Seen:
        """How a replica is, for those who watch it; `engine` is the primary's. Raises one of `FAILURES`."""
        self._samples.add(await position_of(engine))
        async with replica.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            seen, _ = await self._ask(replica, cast(Driver, raw.driver_connection), 0)
        replica.gate.answered()
        return seen

    async def close(self) -> None:
        """Close all connections."""
        for replica in self.all:
            await replica.engine.dispose()
            replica.gate.close()


async def position_of(engine: AsyncEngine) -> int:
    """The present place of the log of the primary. Raises one of `FAILURES`."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        return int(await cast(Driver, raw.driver_connection).fetchval(POSITION))


def _replica(settings: Settings, url: str) -> Replica:
    parts = urlsplit(url)
    name = f"replica {parts.hostname or 'local'}:{parts.port or 5432}"
    gate = Gate(settings.replica_wait_seconds, name, PAUSE_SECONDS)
    engine = make_engine(settings, url, settings.replica_wait_seconds)
    return Replica(name, engine, gate, role_of(url))
