"""`lifevault audit verify`, as an operator runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.audit import service as audit
from app.db.runtime import current
from app.db.session import session_scope
from tests import ROOT
from tests.conftest import as_superuser, at
from tests.factories import make_item, make_user, make_vault

pytestmark = pytest.mark.anyio


def lifevault(*arguments: object, **settings: str) -> tuple[int, str]:
    """Exit code and output of a command, with these settings alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIFEVAULT_")}
    result = subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        env=environment | {f"LIFEVAULT_{name.upper()}": value for name, value in settings.items()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.slow
async def test_the_command_names_the_first_entry_that_does_not_hold(own_database, postgres, tmp_path: Path):
    owner = await make_user()
    vault, other = await make_vault(owner), await make_vault(owner)
    await make_item(owner, vault)
    await make_item(owner, vault)
    await audit.checkpoint_all()
    settings = current().settings
    database = settings.database_url.get_secret_value().rpartition("/")[2]
    known = {
        "environment": "test",
        "root_keys": settings.root_keys.get_secret_value(),
        "token_keys": settings.token_keys.get_secret_value(),
        "lookup_key": settings.lookup_key.get_secret_value(),
        "blob_url": settings.blob_url,
    }

    for role in ("app", "owner"):
        code, output = lifevault("audit", "verify", **known, database_url=at(getattr(postgres, role), database))
        assert (code, output) == (0, "3 logs verified, 0 broken.\n"), role

    class Here:
        superuser = at(postgres.superuser, database)

    statement = f"UPDATE audit_entries SET subject_id = NULL WHERE chain_id = '{vault.id}' AND sequence = 2"
    await as_superuser(Here, "SET session_replication_role = replica", statement)
    url = at(postgres.app, database)
    code, output = lifevault("audit", "verify", **known, database_url=url)
    assert code == 2
    assert f"{vault.id} is broken at entry 2: the entry was changed" in output
    assert "3 logs verified, 1 broken." in output
    assert lifevault("audit", "verify", other.id, **known, database_url=url)[0] == 0
    assert lifevault("audit", "verify", vault.id, **known, database_url=url)[0] == 2

    assert "2 logs signed." in lifevault("audit", "checkpoint", **known, database_url=url)[1]
    async with session_scope() as session:
        walked = text("SELECT count(*) FROM audit_checkpoints WHERE verified_at IS NOT NULL")
        assert await session.scalar(walked) == 3
