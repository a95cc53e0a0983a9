"""The first request to a new function: `python -m tests.benchmarks.first_request [--json]`.

Processor seconds of a process that imports the Lambda handler and answers one event, by room; with the ratio to a bare
FastAPI + SQLAlchemy application behind the same adapter whose one request reads a row (best of several, byte-compiled).
"""

import argparse
import asyncio
import json
import subprocess
import sys

import httpx

from app.db.runtime import close_runtime, open_runtime
from tests.benchmarks.place import own_place
from tests.factories import TestUser, auth, make_item, make_user, make_vault
from tests.system.functions import EVENTS, HOST, Json

ROUNDS = 5
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


def seconds(code: str, request: httpx.Request, environment: dict[str, str]) -> dict[str, float]:
    """The best of several fresh processes: the import, the import with the first request, and the second request."""
    runs: list[list[float]] = []
    for _ in range(ROUNDS):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(code=code)],
            input=json.dumps(EVENTS["v2"](request)).encode(),
            capture_output=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", **environment},
        )
        status, *times = json.loads(run.stdout.splitlines()[-1])
        assert status == (404 if "nothing" in str(request.url) else 200), (request.url, status)
        runs.append(times)
    return dict(zip(("import", "with the first", "the second"), map(min, zip(*runs, strict=True)), strict=True))


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
    bare = seconds(BARE, rows, {"BARE_DATABASE_URL": bare_url})
    result = {"bare FastAPI + SQLAlchemy": bare}
    result |= {name: seconds(OURS, request, environment) for name, request in requests(person, vault_id).items()}
    again = seconds(BARE, rows, {"BARE_DATABASE_URL": bare_url})
    for times in result.values():
        for name in ("import", "with the first"):
            times[f"{name}, ratio"] = times[name] / min(bare[name], again[name])
    return result


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
