"""The first request to a new function: `python -m tests.benchmarks.first_request [--json]`.

Processor seconds of a process that imports the Lambda handler and answers one event, by room; with the ratio to a bare
FastAPI + SQLAlchemy application behind the same adapter whose one request reads a row (best of several, byte-compiled).
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from app.db.runtime import close_runtime, open_runtime
from tests.benchmarks.place import own_place
from tests.factories import TestUser, auth, make_item, make_user, make_vault
from tests.system.functions import EVENTS, HOST, Json

ROUNDS = 5
KINDS = ("import", "with the first", "the second")
OURS = "from app.lambda_handler import handler"
BARE = """
import os, fastapi, pydantic, mangum, sqlalchemy.ext.asyncio, sqlalchemy.orm, asyncpg
class Base(sqlalchemy.orm.DeclarativeBase): pass
class Row(Base):
    __tablename__ = "auth_users"
    id: sqlalchemy.orm.Mapped[sqlalchemy.UUID] = sqlalchemy.orm.mapped_column(sqlalchemy.UUID, primary_key=True)
class Rows(pydantic.BaseModel):
    rows: list[str]
app = fastapi.FastAPI()
engine = sqlalchemy.ext.asyncio.create_async_engine(os.environ["BARE_DATABASE_URL"])
@app.get("/rows")
async def rows(limit: int = 1) -> Rows:
    async with sqlalchemy.ext.asyncio.AsyncSession(engine) as session:
        found = await session.scalars(sqlalchemy.select(Row).limit(limit))
        return Rows(rows=[str(row.id) for row in found])
handler = mangum.Mangum(app, lifespan="off")
"""
PROGRAM = """
import json, sys, time
event = json.load(sys.stdin)
{code}
imported = time.process_time()
status = handler(event, None)["statusCode"]
first = time.process_time()
handler(event, None)
print(json.dumps([status, imported, first, time.process_time() - first]))
"""


@dataclass(frozen=True)
class Program:
    """What a fresh process runs: code that makes a handler, and the request that is sent to it."""

    code: str
    request: httpx.Request
    environment: dict[str, str]

    def seconds(self) -> list[float]:
        """After the import, after the first request, and of the second request."""
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(code=self.code)],
            input=json.dumps(EVENTS["v2"](self.request)).encode(),
            capture_output=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", **self.environment},
        )
        status, *seconds = json.loads(run.stdout.splitlines()[-1])
        assert status == (404 if "nothing" in self.request.url.path else 200), (self.request.url, status)
        return [float(each) for each in seconds]


def measured(programs: Mapping[str, Program]) -> dict[str, dict[str, float]]:
    """The best of several rounds, in turn, so that a busy machine is busy for all; with ratios to the first."""
    rounds = [{name: program.seconds() for name, program in programs.items()} for _ in range(ROUNDS)]
    best = {name: [min(times) for times in zip(*(each[name] for each in rounds), strict=True)] for name in programs}
    floor = next(iter(best.values()))
    return {
        name: {
            **dict(zip(KINDS, times, strict=True)),
            "import, ratio": times[0] / floor[0],
            "with the first, ratio": times[1] / floor[1],
        }
        for name, times in best.items()
    }


def requests(person: TestUser, vault_id: object) -> dict[str, httpx.Request]:
    """One for each room, as a client of ours would begin."""
    paths = {
        "auth: who am I": "/v1/auth/me",
        "vault: list of items": f"/v1/vault/items?vault_id={vault_id}&limit=20",
        "reminders": "/v1/reminders?limit=20",
        "agents": "/v1/agents?limit=20",
        "nominees": "/v1/nominees/people",
        "payments: plans": "/v1/payments/plans",
        "notifications: inbox": "/v1/notifications",
        "audit: log of a vault": f"/v1/audit/vaults/{vault_id}/entries",
        "openai: models": "/openai/v1/models",
        "health": "/health/live",
        "an unknown path": "/v1/nothing",
    }
    base = f"https://{HOST}"
    made = {name: httpx.Request("GET", base + path, headers=auth(person)) for name, path in paths.items()}
    form = {"username": person.email, "password": person.password}
    question = {"question": "What is the excess on our car insurance?"}
    made["auth: sign in"] = httpx.Request("POST", f"{base}/v1/auth/token", data=form)
    made["rag: ask"] = httpx.Request("POST", f"{base}/v1/rag/ask", json=question, headers=auth(person))
    return made


async def prepare() -> tuple[TestUser, object]:
    """A person with a vault of 20 records."""
    person = await make_user()
    vault = await make_vault(person)
    for number in range(20):
        await make_item(person, vault, title=f"Record {number}")
    return person, vault.id


async def run(values: Json) -> dict[str, dict[str, float]]:
    """Times by request, with their ratios."""
    from app.core.config import load_settings

    open_runtime(load_settings(**values))
    person, vault_id = await prepare()
    await close_runtime()
    environment = {f"LIFEVAULT_{name.upper()}": str(value) for name, value in values.items()}
    bare_url = str(values["database_url"]).replace("postgresql://", "postgresql+asyncpg://", 1)
    rows = httpx.Request("GET", f"https://{HOST}/rows?limit=1")
    ours = {name: Program(OURS, request, environment) for name, request in requests(person, vault_id).items()}
    return measured({"bare FastAPI + SQLAlchemy": Program(BARE, rows, {"BARE_DATABASE_URL": bare_url}), **ours})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with own_place() as place:
        result = asyncio.run(run(place.values()))
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, times in result.items():
        shown = "".join(f"{times[each]:9.2f}{'×' if 'ratio' in each else 's'}" for each in times)
        sys.stdout.write(f"{name:28}{shown}\n")
    sys.stdout.write(f"{'':28}{'   '.join(next(iter(result.values())))}\n")


if __name__ == "__main__":
    main()
