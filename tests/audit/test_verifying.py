"""What somebody does to a log who has the database, but not the root keys."""

import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain, marks, tasks
from app.audit import service as audit
from app.audit.verifying import (
    AFTER_END,
    CHANGED,
    CUT,
    FORGED,
    FORGED_MARK,
    GONE,
    MARK_LOST,
    MISSING,
    NO_KEY,
    OTHER_END,
    REWRITTEN,
    verify_chain,
)
from app.db.engine import make_engine
from app.db.runtime import current
from app.db.session import Actor, new_session, session_scope
from tests.conftest import at, random_key
from tests.factories import make_user, make_vault, principal_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
EDITS = int(os.environ.get("LIFEVAULT_TEST_AUDIT_EDITS", "120"))
ENTRIES, SEEN = 14, 10  # of which a checkpoint has seen so many

ACTIONS = ("vault.item_created", "vault.item_updated", "vault.member_added", "vault.key_rotated")


async def make_log(entries: int = ENTRIES, seen: int = SEEN) -> UUID:
    """A vault with a log, and a checkpoint before its end."""
    owner = await make_user()
    vault = await make_vault(owner)
    for number in range(entries - 1):
        async with session_scope(Actor.user(owner.id)) as session:
            action = ACTIONS[number % len(ACTIONS)]
            await audit.record(session, principal_of(owner), vault.id, action, uuid4(), number=number)
        if number == seen - 2:  # the first entry is that of the vault itself
            await audit.checkpoint(vault.id)
    return vault.id


@pytest.fixture
async def superuser(own_database, postgres) -> AsyncIterator[Callable[[], object]]:
    """Opens a transaction of the superuser, in which no trigger and no foreign key counts; it is rolled back."""
    name = own_database.settings.database_url.get_secret_value().rpartition("/")[2]
    settings = own_database.settings.model_copy(update={"database_url": SecretStr(at(postgres.superuser, name))})
    engine = make_engine(settings, settings.database_url.get_secret_value(), 3)

    @asynccontextmanager
    async def open_session() -> AsyncIterator[AsyncSession]:
        async with new_session(bind=engine, info={"actor": Actor("system"), "role": None}) as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            yield session
            await session.rollback()

    yield open_session
    await engine.dispose()


async def rows_of(session: AsyncSession, chain_id: UUID) -> list[dict[str, object]]:
    found = await session.execute(
        text("SELECT * FROM audit_entries WHERE chain_id = :id ORDER BY sequence"), {"id": chain_id}
    )
    return [dict(row) for row in found.mappings()]


async def write_rows(session: AsyncSession, chain_id: UUID, rows: list[dict[str, object]]) -> None:
    """Put other rows in the place of a chain's."""
    await session.execute(text("DELETE FROM audit_entries WHERE chain_id = :id"), {"id": chain_id})
    names = ", ".join(rows[0]) if rows else ""
    values = ", ".join(f":{name}" for name in rows[0]) if rows else ""
    for row in rows:
        await session.execute(text(f"INSERT INTO audit_entries ({names}) VALUES ({values})"), row)


async def move_end(session: AsyncSession, chain_id: UUID, sequence: int, hash: bytes) -> None:
    await session.execute(
        text("UPDATE audit_chains SET sequence = :sequence, hash = :hash WHERE id = :id"),
        {"id": chain_id, "sequence": sequence, "hash": hash},
    )


def hashed_again(rows: list[dict[str, object]]) -> bytes:
    """Number and hash a chain anew, as anybody can; returns the last hash. The tags stay what they were."""
    before = chain.FIRST
    for number, row in enumerate(rows, start=1):
        row["sequence"] = number
        before = row["hash"] = chain.entry_hash({**row, "micros": chain.micros(row["at"])}, before)
    return before


@dataclass
class Attack:
    """One change of a log, drawn by a seed."""

    random: random.Random
    chain_id: UUID
    other_id: UUID
    done: list[str] = field(default_factory=list)

    async def run(self, session: AsyncSession) -> None:
        kind = self.random.choice(["edit", "delete", "insert", "swap", "cut", "end", "mark", "move"])
        rehash = kind in ("edit", "delete", "insert", "swap", "cut") and self.random.random() < 0.5
        self.done = [kind, "hashed again" if rehash else "as it is"]
        await getattr(self, f"_{kind}")(session, rehash=rehash)

    async def _rows(self, session: AsyncSession) -> list[dict[str, object]]:
        return await rows_of(session, self.chain_id)

    async def _write(self, session: AsyncSession, rows: list[dict[str, object]], *, rehash: bool) -> None:
        if rehash:
            last = hashed_again(rows)
            await move_end(session, self.chain_id, len(rows), last)
        await write_rows(session, self.chain_id, rows)

    def _edited(self, row: dict[str, object]) -> None:
        name = self.random.choice([each for each in row if each not in ("chain_id", "sequence")])
        self.done.append(name)
        changes = {
            "actor_kind": lambda: self.random.choice([each for each in ("api_key", "agent") if each != row[name]]),
            "actor_id": lambda: self.random.choice([uuid4(), None]),
            "action": lambda: "vault.item_read",
            "subject_id": lambda: uuid4() if row[name] is None else self.random.choice([uuid4(), None]),
            "ids": lambda: f'{{"number":{self.random.randrange(100, 999)}}}',
            "at": lambda: row["at"].replace(microsecond=(row["at"].microsecond + 1) % 1_000_000),
            "key_version": lambda: self.random.choice([2, 7, -1]),
            "hash": lambda: self.random.randbytes(32),
            "tag": lambda: self.random.randbytes(self.random.choice([0, 31, 32])),
        }
        row[name] = changes[name]()

    async def _edit(self, session: AsyncSession, *, rehash: bool) -> None:
        rows = await self._rows(session)
        row = self.random.choice(rows)
        self._edited(row)
        rehash = rehash and self.done[-1] not in ("hash", "key_version")
        await self._write(session, rows, rehash=rehash)

    async def _delete(self, session: AsyncSession, *, rehash: bool) -> None:
        rows = await self._rows(session)
        begin = self.random.randrange(len(rows) - 1)  # what is cut off at the end is `_cut`
        del rows[begin : self.random.randrange(begin + 1, len(rows))]
        await self._write(session, rows, rehash=rehash)

    async def _insert(self, session: AsyncSession, *, rehash: bool) -> None:
        rows = await self._rows(session)
        new = dict(self.random.choice(rows))
        new |= {"subject_id": uuid4(), "action": "vault.item_read"}
        place = self.random.randrange(len(rows) + 1)
        if rehash:
            rows.insert(place, new)
        else:
            rows.append(new | {"sequence": self.random.choice([0, -5, len(rows) + 1, len(rows) + 9])})
        await self._write(session, rows, rehash=rehash)

    async def _swap(self, session: AsyncSession, *, rehash: bool) -> None:
        rows = await self._rows(session)
        one, two = self.random.sample(range(len(rows)), 2)
        rows[one], rows[two] = rows[two], rows[one]
        for number, row in enumerate(rows, start=1):
            row["sequence"] = number
        await self._write(session, rows, rehash=rehash)

    async def _cut(self, session: AsyncSession, *, rehash: bool) -> None:
        """Cut the end off and move the head; what a checkpoint has seen, or without moving the head all of it."""
        rows = await self._rows(session)
        kept = rows[: self.random.randrange(SEEN if rehash else len(rows))]
        await self._write(session, kept, rehash=False)
        if rehash:
            await move_end(session, self.chain_id, len(kept), kept[-1]["hash"] if kept else chain.FIRST)
        if self.random.random() < 0.3:
            self.done.append("checkpoint taken away")
            await session.execute(text("DELETE FROM audit_checkpoints WHERE chain_id = :id"), {"id": self.chain_id})

    async def _end(self, session: AsyncSession, *, rehash: bool) -> None:
        rows = await self._rows(session)
        row = self.random.choice(rows[:-1])
        if self.random.random() < 0.3:
            await session.execute(text("DELETE FROM audit_chains WHERE id = :id"), {"id": self.chain_id})
        else:
            await move_end(session, self.chain_id, self.random.choice([len(rows), row["sequence"]]), row["hash"])

    async def _mark(self, session: AsyncSession, *, rehash: bool) -> None:
        change = self.random.choice(
            ["sequence = sequence - 1", "hash = sha256(hash)", "signature = sha512(signature)", "key_version = 3"]
        )
        self.done.append(change)
        await session.execute(
            text(f"UPDATE audit_checkpoints SET {change} WHERE chain_id = :id"), {"id": self.chain_id}
        )

    async def _move(self, session: AsyncSession, *, rehash: bool) -> None:
        """Take entries of another vault, made by the application."""
        rows = await rows_of(session, self.other_id)
        for row in rows:
            row["chain_id"] = self.chain_id
        if self.random.random() < 0.5:
            await move_end(session, self.chain_id, len(rows), hashed_again(rows))
        await write_rows(session, self.chain_id, rows)


async def test_whatever_a_superuser_does_to_a_log_is_found(superuser, own_database):
    chain_id, other_id = await make_log(), await make_log()
    seed = random.randrange(2**32)
    drawn = random.Random(seed)
    missed = []

    for number in range(EDITS):
        attack = Attack(drawn, chain_id, other_id)
        async with superuser() as session:
            await attack.run(session)
            if await verify_chain(session, chain_id) is None:
                missed.append((number, *attack.done))

    assert missed == [], f"seed {seed}"
    for each in (chain_id, other_id):
        assert await audit.verify(each) is None  # nothing of it was left behind


CHANGES = {
    "an entry changed": (
        "UPDATE audit_entries SET action = 'vault.x' WHERE sequence = 3 AND chain_id = :id",
        3,
        CHANGED,
    ),
    "an entry taken out": ("DELETE FROM audit_entries WHERE sequence = 4 AND chain_id = :id", 4, MISSING),
    "a tag changed": ("UPDATE audit_entries SET tag = hash WHERE sequence = 5 AND chain_id = :id", 5, FORGED),
    "the last one taken out": ("DELETE FROM audit_entries WHERE sequence = 14 AND chain_id = :id", 14, MISSING),
    "the end moved back": ("UPDATE audit_chains SET sequence = 12 WHERE id = :id", 13, AFTER_END),
    "the end changed": ("UPDATE audit_chains SET hash = sha256(hash) WHERE id = :id", 14, OTHER_END),
    "the head taken away": ("DELETE FROM audit_chains WHERE id = :id", 1, GONE),
    "a checkpoint forged": ("UPDATE audit_checkpoints SET sequence = 11 WHERE chain_id = :id", 11, FORGED_MARK),
    "a checkpoint of no key": ("UPDATE audit_checkpoints SET key_version = 9 WHERE chain_id = :id", 10, NO_KEY),
    "a checkpoint taken away": ("DELETE FROM audit_checkpoints WHERE chain_id = :id", 10, MARK_LOST),
}


async def test_the_first_entry_that_does_not_hold_is_named(superuser, own_database):
    chain_id = await make_log()
    found = {}

    for change, (statement, _, _) in CHANGES.items():
        async with superuser() as session:
            await session.execute(text(statement), {"id": chain_id})
            broken = await verify_chain(session, chain_id)
        found[change] = (broken.sequence, broken.reason) if broken else None

    assert found == {change: (sequence, reason) for change, (_, sequence, reason) in CHANGES.items()}


async def test_a_history_written_anew_is_found_by_its_tags_and_by_the_checkpoint(superuser, own_database):
    chain_id = await make_log()

    async with superuser() as session:
        rows = await rows_of(session, chain_id)
        rows[11]["action"] = "vault.nothing_happened"  # after the checkpoint
        await move_end(session, chain_id, len(rows), hashed_again(rows))
        await write_rows(session, chain_id, rows)
        broken = await verify_chain(session, chain_id)
    assert (broken.sequence, broken.reason) == (12, FORGED)

    async with superuser() as session:
        rows = (await rows_of(session, chain_id))[:8]  # a true history, but an old one
        await move_end(session, chain_id, 8, rows[-1]["hash"])
        await write_rows(session, chain_id, rows)
        broken = await verify_chain(session, chain_id)
        assert (broken.sequence, broken.reason) == (9, CUT)
        await session.execute(text("DELETE FROM audit_checkpoints WHERE chain_id = :id"), {"id": chain_id})
        assert (await verify_chain(session, chain_id)).reason == CUT  # the blob store remembers


async def test_another_true_history_than_the_one_that_was_seen_is_found(superuser, own_database):
    """Somebody had the application write another history, after cutting the first one off behind its checkpoint."""
    chain_id = await make_log(entries=9, seen=3)
    async with session_scope() as session:
        mark = await marks.stored_mark(chain_id)
        rows = await rows_of(session, chain_id)
    forged = marks.signed_mark(chain.Head(chain_id, 5, b"\1" * 32))
    await marks.store_mark(forged)

    broken = await audit.verify(chain_id)
    assert (broken.sequence, broken.reason) == (5, REWRITTEN)

    await marks.store_mark(mark)
    assert len(rows) == 9
    assert await audit.verify(chain_id) is None


async def test_a_checkpoint_in_the_blob_store_that_can_not_be_read_counts_as_forged(own_database):
    chain_id = await make_log()

    async def nonsense():
        yield b'{"sequence": "many"}'

    await current().blobs.put(f"audit/{chain_id}", nonsense())
    assert (await audit.verify(chain_id)).reason == FORGED_MARK

    await current().blobs.delete(f"audit/{chain_id}")
    assert (await audit.verify(chain_id)).reason == MARK_LOST
    assert await audit.checkpoint(chain_id, anew=True)
    assert await audit.verify(chain_id) is None


async def test_what_has_grown_gets_a_checkpoint_and_what_is_broken_keeps_its_old_one(superuser, own_database, caplog):
    chain_id = await make_log()
    assert (await marks.stored_mark(chain_id)).head.sequence == SEEN

    assert await tasks.checkpoint() >= 1
    assert (await marks.stored_mark(chain_id)).head.sequence == ENTRIES
    assert await tasks.checkpoint() == 0

    owner = await make_user()
    vault = await make_vault(owner)
    async with session_scope(Actor.user(owner.id)) as session:
        await audit.record(session, principal_of(owner), vault.id, "vault.exported")
    await tasks.checkpoint()
    before = await marks.stored_mark(vault.id)
    async with session_scope(Actor.user(owner.id)) as session:
        await audit.record(session, principal_of(owner), vault.id, "vault.exported")
    async with superuser() as session:
        await session.execute(
            text("UPDATE audit_entries SET actor_id = NULL WHERE chain_id = :id AND sequence > :seen"),
            {"id": vault.id, "seen": before.head.sequence},
        )
        await session.commit()
    await tasks.checkpoint()

    assert await marks.stored_mark(vault.id) == before
    assert "audit chain broken" in caplog.text
    assert await tasks.verify() == 1


async def test_logs_hold_after_the_root_key_was_exchanged(own_database):
    chain_id = await make_log()
    old = own_database.settings.root_keys.get_secret_value()
    new = f"2:{random_key()}"

    use_root_keys(own_database, f"{old},{new}")
    assert await audit.checkpoint_all() >= 1
    use_root_keys(own_database, new)

    assert (await marks.stored_mark(chain_id)).key_version == 2
    assert await audit.verify(chain_id) is None
    use_root_keys(own_database, f"3:{random_key()}")
    assert (await audit.verify(chain_id)).reason == NO_KEY


def use_root_keys(runtime, keys: str) -> None:
    from app.db import runtime as runtimes

    settings = runtime.settings.model_copy(update={"root_keys": SecretStr(keys)})
    settings.__dict__.pop("root_key_ring", None)
    runtimes._current[:] = [replace(runtime, settings=settings)]


async def test_the_checkpoint_of_a_purged_vault_goes_and_that_of_a_robbed_one_is_reported(superuser, own_database):
    purged, robbed = await make_log(), await make_log()
    async with session_scope(Actor.vault(purged)) as session:
        await session.execute(text("DELETE FROM vaults WHERE id = :id"), {"id": purged})
    async with superuser() as session:
        for table, column in (("audit_entries", "chain_id"), ("audit_checkpoints", "chain_id"), ("audit_chains", "id")):
            await session.execute(text(f"DELETE FROM {table} WHERE {column} = :id"), {"id": robbed})
        await session.commit()

    assert await audit.verify(purged) is None
    assert {purged, robbed} <= set(await audit.known_chain_ids())
    assert await tasks.sweep_marks() == 1
    assert await marks.stored_mark(purged) is None
    assert (await audit.verify(robbed)).reason == GONE
