"""`lifevault doctor` on real servers, and on what is wrong with them."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from app.cli import app
from app.core.config import Settings
from tests.conftest import as_superuser, at, random_key
from tests.factories import make_user

pytestmark = pytest.mark.anyio
SET = (
    *("database_url", "migration_database_url", "redis_url", "root_keys", "token_keys", "lookup_key"),
    *("blob_url", "smtp_url", "data_dir"),
)


def doctor(settings: Settings, **changes: Any) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and what was found by the name of the part."""
    values = {name: getattr(settings, name) for name in SET} | changes
    environment = {
        f"LIFEVAULT_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
    environment |= {"DATABASE_URL": "", "REDIS_URL": "", "LIFEVAULT_ENVIRONMENT": "test"}
    result = CliRunner().invoke(app, ["doctor", "--json"], env=environment)
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, {each["name"]: (each["state"], each["detail"]) for each in json.loads(result.stdout)}


async def look(settings: Settings, **changes: Any) -> tuple[int, dict[str, tuple[str, str]]]:
    """In a thread: the command has an event loop of its own. The runtime of the tests comes back afterwards."""
    from app.db import runtime as runtimes
    from app.db.session import new_session

    before, kept = list(runtimes._current), dict(new_session.kw)
    try:
        return await asyncio.to_thread(doctor, settings, **changes)
    finally:
        runtimes._current[:] = before
        new_session.configure(**kept)


async def test_a_well_installation_has_nothing_but_a_mail_server_to_complain_of(runtime, settings):
    await make_user()
    code, found = await look(settings)

    assert code == 1
    assert {name for name, (state, _) in found.items() if state == "failed"} == {"smtp"}, found["keys"]
    assert found["database"][1].startswith("PostgreSQL")
    assert found["role"] == ("ok", "lifevault_app, under row-level security")
    assert found["keys"][0] == "ok"
    assert found["migrations"] == ("ok", "the newest schema")
    assert {"settings", "extensions", "clock", "worker", "redis", "blobs", "disk", "tesseract", "gateway"} <= {*found}


async def test_what_is_missing_or_wrong_is_named_without_its_value(runtime, settings, postgres):
    await make_user()
    await as_superuser(postgres, "CREATE DATABASE doctor_empty OWNER lifevault_owner")
    other = random_key()
    _, keys = await look(settings, root_keys=f"2:{other}")
    _, wrong = await look(settings, root_keys=f"1:{other}")
    _, empty = await look(settings, migration_database_url=at(postgres.owner, "doctor_empty"))
    _, away = await look(
        settings, database_url="postgresql://a:kestrelmarble@127.0.0.1:1/b", redis_url="redis://127.0.0.1:1"
    )
    code, nonsense = await look(settings, root_keys="nonsense")
    await as_superuser(postgres, "DROP DATABASE doctor_empty")

    assert keys["keys"][0] == "failed"
    assert "root key 1 is missing" in keys["keys"][1]
    assert wrong["keys"] == ("failed", "SealBroken")
    assert empty["migrations"][0] == "failed"
    assert (away["database"][0], away["redis"][0]) == ("failed", "failed")
    assert "kestrelmarble" not in str(away)
    assert code == 1
    assert nonsense["settings"][0] == "failed"
    assert other not in str(keys)


async def test_above_row_level_security_is_a_failure(runtime, settings, postgres):
    await as_superuser(postgres, "ALTER ROLE lifevault_app BYPASSRLS")
    try:
        _, found = await look(settings)
    finally:
        await as_superuser(postgres, "ALTER ROLE lifevault_app NOBYPASSRLS")

    assert found["role"] == ("failed", "lifevault_app is above row-level security")
