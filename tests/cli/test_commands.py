"""The small commands, run as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.programs import start


def lifevault(folder: Path, *arguments: object, **variables: str) -> tuple[int, str]:
    """Exit code and output of a command that is started in `folder`, with a bare environment."""
    outside = ("LIFEVAULT_", "DATABASE_URL", "REDIS_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    process = start(
        *(sys.executable, "-m", "app.cli", *arguments),
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200", "NO_COLOR": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = process.communicate(timeout=120)[0].decode()
    return process.returncode, output


def test_help_names_every_command_and_loads_nothing_heavy(tmp_path: Path):
    code, output = lifevault(tmp_path, "--help")
    program = "import sys, app.cli; print(*{'pydantic', 'sqlalchemy', 'fastapi', 'celery', 'psutil'} & {*sys.modules})"
    loaded = start(sys.executable, "-c", program, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])

    assert code == 0
    assert all(command in output for command in ("up", "status", "stop", "migrate", "config"))
    assert loaded.communicate(timeout=60)[0].split() == []


def test_status_and_stop_say_that_nothing_runs(tmp_path: Path):
    assert lifevault(tmp_path, "status", "--data", tmp_path / "none") == (
        1,
        f"LifeVault is not running in {tmp_path / 'none'}.\n",
    )
    assert lifevault(tmp_path, "stop", LIFEVAULT_DATA_DIR=str(tmp_path)) == (
        0,
        f"LifeVault is not running in {tmp_path}.\n",
    )


def test_the_data_folder_may_stand_in_a_dotenv_file(tmp_path: Path):
    (tmp_path / ".env").write_text(f"LIFEVAULT_DATA_DIR={tmp_path / 'from a file'}\n")

    assert "from a file" in lifevault(tmp_path, "status")[1]


def test_config_check_shows_what_is_set_but_no_secret(tmp_path: Path):
    code, output = lifevault(
        tmp_path, "config", "check", REDIS_URL="redis://:marmalade@127.0.0.1:6379/0", LIFEVAULT_TRASH_DAYS="7"
    )

    assert code == 0
    assert "marmalade" not in output
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.strip().startswith("LIFEVAULT_")}
    assert rows["LIFEVAULT_REDIS_URL"] == ["••••••", "environment"]
    assert rows["LIFEVAULT_TRASH_DAYS"] == ["7", "environment"]
    assert rows["LIFEVAULT_SMTP_URL"] == ["(not", "set)", "default"]


def test_config_check_names_all_problems_of_production_at_once(tmp_path: Path):
    code, output = lifevault(tmp_path, "config", "check", LIFEVAULT_ENVIRONMENT="production", LIFEVAULT_DEBUG="true")

    assert code == 1
    for problem in ("LIFEVAULT_ROOT_KEYS is missing", "LIFEVAULT_DEBUG must be off", "LIFEVAULT_PUBLIC_URL must be"):
        assert problem in output


def test_migrate_without_a_database_says_what_to_do(tmp_path: Path):
    code, output = lifevault(tmp_path, "migrate")

    assert code == 1
    assert "LIFEVAULT_DATABASE_URL is not set" in output
