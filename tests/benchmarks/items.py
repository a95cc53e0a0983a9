"""Search of records: `python -m tests.benchmarks.items [--items N] [--rounds N] [--json]`.

One vault with 10,000 records of several types, 12 fields or so each, with made-up words. Cold: nothing is opened, so
all records are fetched, decrypted and folded for the question. Warm: the entries are in memory, and the database says
which of them count. After a change: one record was written since. Each is one request over HTTP, in this process: given
are the time that passes and, as other work may slow that down, the processor time of this process. The baseline in the
same run is PostgreSQL itself with the same texts in clear, word by word by ILIKE, without an index.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import httpx
from sqlalchemy import insert

from app.core.clock import new_id
from app.db.runtime import close_runtime, current, open_runtime
from app.db.session import Actor, session_scope
from app.main import create_app
from app.vault.cells import seal_body, tag_digests
from app.vault.models import items
from app.vault.service.entries import entry_cache
from app.vault.types import record_types
from tests.benchmarks.place import Place, own_place
from tests.factories import TestUser, auth, make_user, make_vault

GOALS = {"cold": 1_000, "warm": 250}
TYPES = ("passport", "car_insurance", "bank_account", "contact", "login", "vehicle", "secure_note")
WORDS = 5_000
ROWS_AT_ONCE = 500


def records(count: int, rng: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Types and contents of so many records."""
    words = [f"{rng.choice('bcdfgklmprst')}{rng.choice('aeiou')}{number:x}a" for number in range(WORDS)]

    def some(least: int, most: int) -> str:
        return " ".join(rng.choices(words, k=rng.randint(least, most)))

    made = []
    for _ in range(count):
        kind = record_types()[rng.choice(TYPES)]
        fields = {each.name: "2031-05-31" if each.type == "date" else some(1, 4) for each in kind.fields}
        content = {"title": some(2, 4).title(), "fields": fields, "notes": some(5, 60), "tags": [some(1, 1)]}
        made.append((kind.name, content))
    return made


async def store(made: Sequence[tuple[str, dict[str, Any]]]) -> tuple[TestUser, str]:
    """A person with a vault of these records, and the id of one."""
    user = await make_user()
    vault = await make_vault(user)
    rows = []
    async with session_scope(Actor.vault(vault.id)) as session:
        ring = await current().keys.ring(session, vault.id)
        for type_name, content in made:
            item_id = new_id()
            body, tags = seal_body(ring, items, item_id, content), tag_digests(ring, content["tags"])
            values = {"id": item_id, "vault_id": vault.id, "type": type_name, "body": body, "tag_digests": tags}
            rows.append({**values, "written_by": user.id})
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            await session.execute(insert(items), rows[begin : begin + ROWS_AT_ONCE])
    return user, str(rows[0]["id"])


async def milliseconds(
    work: Callable[[str], Awaitable[object]],
    questions: Sequence[str],
    before: Callable[[], Awaitable[object]] | None = None,
) -> dict[str, float]:
    """Times of one question after another, without what comes before each."""
    times, processor = [], []
    for question in questions:
        if before:
            await before()
        started, ticks = time.perf_counter(), time.process_time()
        await work(question)
        times.append((time.perf_counter() - started) * 1000)
        processor.append((time.process_time() - ticks) * 1000)
    middle = statistics.median
    return {"p50": round(middle(times), 1), "max": round(max(times), 1), "processor p50": round(middle(processor), 1)}


async def in_clear(url: str, made: Sequence[tuple[str, dict[str, Any]]]) -> asyncpg.Connection:
    """The same records as plain text."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TEMP TABLE clear_items (body text)")
    texts = [(" ".join([each["title"], *map(str, each["fields"].values()), each["notes"]]),) for _, each in made]
    await connection.executemany("INSERT INTO clear_items (body) VALUES ($1)", texts)
    return connection


async def run(arguments: argparse.Namespace, place: Place) -> dict[str, Any]:
    """Times of each kind of question."""
    rng = random.Random(3)
    settings = place.settings(environment="test", items_per_vault=1_000_000)
    open_runtime(settings)
    made = records(arguments.items, rng)
    user, one = await store(made)
    cache = entry_cache(settings.search_cache_bytes)
    connection = await in_clear(place.postgres.superuser, made)
    questions = [" ".join(rng.choice(made)[1]["title"].lower().split()[:2]) for _ in range(arguments.rounds)]
    transport = httpx.ASGITransport(create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=auth(user)) as client:

        async def ask(text: str) -> None:
            answer = await client.post("/v1/vault/search", json={"query": text})
            assert answer.raise_for_status().json()["total"] > 0

        async def forget() -> None:
            cache.clear()

        async def change() -> None:
            (await client.patch(f"/v1/vault/items/{one}", json={"notes": str(rng.random())})).raise_for_status()

        async def ask_postgres(text: str) -> None:
            patterns = [f"%{word}%" for word in text.split()]
            await connection.fetch("SELECT body FROM clear_items WHERE body ILIKE ALL($1) LIMIT 20", patterns)

        await ask(questions[0])
        result: dict[str, Any] = {
            "records": len(made),
            "cold": await milliseconds(ask, questions[:5], forget),
            "warm": await milliseconds(ask, questions),
            "after a change": await milliseconds(ask, questions[:5], change),
            "without words": await milliseconds(lambda _: client.post("/v1/vault/search", json={}), questions),
            "bytes in memory": cache.nbytes,
            "PostgreSQL ILIKE in clear": await milliseconds(ask_postgres, questions),
        }
    await connection.close()
    await close_runtime()
    ratio = result["warm"]["p50"] / result["PostgreSQL ILIKE in clear"]["p50"]
    return result | {"ratio of warm to PostgreSQL, p50": round(ratio, 2), "goals, ms": GOALS}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with own_place() as place:
        result = asyncio.run(run(arguments, place))
    lines = json.dumps(result, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in result.items())
    sys.stdout.write(lines + "\n")


if __name__ == "__main__":
    main()
