"""What a person has set wins over what `up` brings along, and nothing secret is made up for production."""

from pathlib import Path

import pytest

from app.cli.embedded.environment import Services, child_environment, fill_gaps, read_given
from app.cli.embedded.errors import EmbeddedError
from app.cli.embedded.instance import application_specs, migration_spec, prepare
from app.cli.embedded.secrets import Secrets, load_or_create_secrets
from app.core.config import SettingsError, load_settings

SERVICES = Services(
    database_url="postgresql://app@127.0.0.1:1/lifevault",
    migration_database_url="postgresql://owner@127.0.0.1:1/lifevault",
    redis_url="redis://127.0.0.1:2/0",
    smtp_url="smtp://127.0.0.1:3",
    mailbox_url="http://127.0.0.1:4",
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("LIFEVAULT_")] + ["DATABASE_URL", "REDIS_URL"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def filled(folder: Path) -> dict[str, str]:
    return fill_gaps(read_given(), folder, Secrets.generate(), SERVICES, "http://127.0.0.1:8000")


def test_the_children_get_valid_settings_for_everything_embedded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    folder = tmp_path / "Grüße an alle"
    environment = child_environment(filled(folder))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    settings = load_settings()

    assert settings.environment == "development"
    assert settings.database_url.get_secret_value() == SERVICES.database_url
    assert settings.migration_url == SERVICES.migration_database_url
    assert settings.blob_url == f"file://{tmp_path}/Gr%C3%BC%C3%9Fe%20an%20alle/blobs"
    assert settings.mailbox_url == "http://127.0.0.1:4"
    assert settings.data_dir == folder
    assert len(settings.root_key_ring[1]) == len(settings.token_key_ring["k1"]) == len(settings.lookup_key_bytes) == 32


@pytest.mark.parametrize("name", ["DATABASE_URL", "LIFEVAULT_DATABASE_URL"])
def test_with_a_database_of_their_own_no_server_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str):
    monkeypatch.setenv(name, "postgresql://me@db.example/papers")

    instance = prepare(tmp_path, "127.0.0.1", 8000, read_given())

    assert instance.postgres is None
    assert instance.database_url == "postgresql://me@db.example/papers"
    assert instance.valkey is not None
    assert not {"database_url", "migration_database_url"} & {*instance.filled}


def test_only_migrations_get_to_know_the_owner_of_the_tables(tmp_path: Path):
    instance = prepare(tmp_path, "127.0.0.1", 8000, read_given())
    owner = instance.database_url

    assert migration_spec(instance).command().env["LIFEVAULT_MIGRATION_DATABASE_URL"] == owner
    for spec in application_specs(instance, listener=3):
        assert owner not in spec.command().env.values()
        assert spec.command().env["LIFEVAULT_DATABASE_URL"] != owner


def test_what_stands_in_a_dotenv_file_counts_as_set(tmp_path: Path):
    (tmp_path / ".env").write_text("REDIS_URL=redis://cache.example:6379/1\nLIFEVAULT_SMTP_URL=smtp://mail.example\n")

    instance = prepare(tmp_path, "127.0.0.1", 8000, read_given())

    assert instance.valkey is None
    assert instance.mailbox_ports is None
    assert child_environment(instance.filled)["REDIS_URL"] == "redis://cache.example:6379/1"
    assert "redis_url" not in instance.filled


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("REDIS_URL", "")

    assert prepare(tmp_path, "127.0.0.1", 8000, read_given()).valkey is not None


def test_production_is_not_given_keys_that_nobody_chose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LIFEVAULT_ENVIRONMENT", "production")

    with pytest.raises(SettingsError) as refused:
        filled(tmp_path)

    assert {"LIFEVAULT_ROOT_KEYS is missing", "LIFEVAULT_TOKEN_KEYS is missing", "LIFEVAULT_LOOKUP_KEY is missing"} <= {
        *refused.value.problems
    }


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LIFEVAULT_MAX_BODY_BYTES", "many")
    monkeypatch.setenv("LIFEVAULT_PASSWORD_MIN_LENGTH", "3")

    with pytest.raises(SettingsError) as refused:
        read_given()

    assert len(refused.value.problems) == 2


def test_secrets_are_made_once_and_are_nobody_elses_business(tmp_path: Path):
    first = load_or_create_secrets(tmp_path)

    assert load_or_create_secrets(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    values = [
        first.root_keys,
        first.token_keys,
        first.lookup_key,
        first.valkey_password,
        *vars(first.postgres).values(),
    ]
    assert len(set(values)) == 7


def test_lost_secrets_are_not_replaced_by_new_ones(tmp_path: Path):
    (tmp_path / "postgres").mkdir()

    with pytest.raises(EmbeddedError, match=r"secrets\.json is missing"):
        load_or_create_secrets(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"root_keys": 1}'])
def test_damaged_secrets_are_reported_and_kept(tmp_path: Path, content: str):
    (tmp_path / "secrets.json").write_text(content)

    with pytest.raises(EmbeddedError, match=r"secrets\.json can't be read"):
        load_or_create_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == content
