"""While a release is exchanged, the one before works on the new tables, beside the new one and after going back."""

import io
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests import ROOT
from tests.deployment.conftest import Place
from tests.serving import api_process
from tests.stack import free_port

LOCKS_ARE_SHORT = ("require-statement-timeout", "require-lock-timeout")  # the connection of migrations has its own
A_WIDER_ONE_TAKES_ITS_PLACE = ("ban-drop-constraint",)
MATTERS_OF_TASTE = ("prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-robust-stmts")


def heads(sources: Path) -> str:
    """The newest revision of the migrations in a folder of sources."""
    config = Config(sources / "alembic.ini")
    config.set_main_option("script_location", str(sources / "alembic"))
    found = ScriptDirectory.from_config(config).get_current_head()
    assert found is not None
    return found


def test_migrations_since_the_last_release_break_nothing_that_runs(released: Path, tmp_path: Path):
    """Squawk's rules: no column is dropped, renamed or changed in type; no long lock on a table that is in use."""
    written = io.StringIO()
    config = Config(ROOT / "alembic.ini", output_buffer=written)
    config.attributes["url"] = "postgresql://"
    command.upgrade(config, f"{heads(released)}:head", sql=True)
    (tmp_path / "migrations.sql").write_text(written.getvalue())

    squawk = [str(Path(sys.executable).with_name("squawk")), str(tmp_path / "migrations.sql"), "--pg-version", "15.0"]
    passed_over = LOCKS_ARE_SHORT + A_WIDER_ONE_TAKES_ITS_PLACE + MATTERS_OF_TASTE
    done = subprocess.run([*squawk, "--exclude", ",".join(passed_over)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


@pytest.mark.slow
async def test_the_release_before_and_the_new_one_serve_the_same_people_side_by_side(
    released: Path, migrated_place: Place
):
    ports = free_port(), free_port()
    with (
        api_process(migrated_place.environment, ports[0], folder=released),
        api_process(migrated_place.environment, ports[1]),
        httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}/v1", timeout=60) as old,
        httpx.Client(base_url=f"http://127.0.0.1:{ports[1]}/v1", timeout=60) as new,
    ):
        for number, (here, there) in enumerate(((old, new), (new, old))):
            email, password = f"ana{number}@example.com", "seven green kettles"
            register = {"email": email, "password": password, "name": "Ana Brandt"}
            here.post("/auth/register", json=register).raise_for_status()
            signed_in = there.post("/auth/token", data={"username": email, "password": password}).raise_for_status()
            for client in (here, there):
                client.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"

            vault = here.post("/vault/vaults", json={"name": "Papers", "kind": "personal", "tier": "assisted"}).json()
            made = {"vault_id": vault["id"], "type": "passport", "title": "Passport", "fields": {"number": "X1"}}
            item = here.post("/vault/items", json=made).raise_for_status().json()
            changed = there.patch(f"/vault/items/{item['id']}", json={"title": "Old passport"}).raise_for_status()
            seen = here.get(f"/vault/items/{item['id']}").raise_for_status()
            assert seen.json() == changed.json()
            assert seen.json()["title"] == "Old passport"

            files = {"file": ("will.txt", b"The house goes to Mia.")}
            sent = here.post("/vault/documents", data={"vault_id": vault["id"]}, files=files)
            read = there.get(f"/vault/documents/{sent.raise_for_status().json()['id']}/content").raise_for_status()
            assert read.content == b"The house goes to Mia."

            reminder = {"title": "Renew", "due_on": "2031-05-31", "leads": [7]}
            here.post("/reminders", json=reminder).raise_for_status()
            listed = there.get("/reminders").raise_for_status().json()["items"]
            assert [each["title"] for each in listed] == ["Renew"]
