"""Settings say all that is wrong with them, and nothing of what is in them."""

import base64
import os

import pytest

from app.core.config import SettingsError, load_settings


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def production(**changes):
    values = {
        "environment": "production",
        "public_url": "https://api.family.test",
        "database_url": "postgresql://app:pw@db.family.test/lifevault?sslmode=verify-full",
        "redis_url": "rediss://redis.family.test",
        "root_keys": f"1:{key()}",
        "token_keys": f"k1:{key()}",
        "lookup_key": key(),
        "blob_url": "s3://bucket",
        "smtp_url": "smtp://mail.family.test",
        "mail_from": "LifeVault <vault@family.test>",
    }
    return load_settings(**{**values, **changes})


def test_complete_production_settings_are_accepted():
    settings = production()

    assert settings.root_key_ring.keys() == {1}
    assert list(settings.token_key_ring) == ["k1"]


SAME = key()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"root_keys": ""}, "LIFEVAULT_ROOT_KEYS is missing"),
        ({"token_keys": "k1:" + base64.b64encode(b"changeme" * 4).decode()}, "weak"),
        ({"root_keys": f"1:{SAME}", "token_keys": f"k1:{SAME}"}, "differ"),
        ({"cors_origins": "*"}, "CORS"),
        ({"debug": True}, "DEBUG"),
        ({"database_url": "postgresql://app:pw@db.family.test/lifevault"}, "TLS"),
        ({"public_url": "http://api.family.test"}, "https"),
        ({"redis_url": ""}, "REDIS"),
    ],
)
def test_production_refuses_weak_settings(changes, problem):
    with pytest.raises(SettingsError, match=problem):
        production(**changes)


def test_all_problems_are_said_at_once_without_values():
    with pytest.raises(SettingsError) as caught:
        load_settings(environment="production", root_keys="1:tooshort", max_body_bytes=1, cors_origins="*")

    text = str(caught.value)
    assert "LIFEVAULT_MAX_BODY_BYTES" in text
    assert "LIFEVAULT_ROOT_KEYS" in text
    assert "CORS" in text
    assert "tooshort" not in text


def test_plain_database_and_redis_urls_are_accepted(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/one")
    monkeypatch.setenv("REDIS_URL", "redis://localhost")

    settings = load_settings()

    assert settings.database_url.get_secret_value() == "postgresql://localhost/one"
    assert settings.redis_url.get_secret_value() == "redis://localhost"
    assert settings.migration_url == "postgresql://localhost/one"


def test_secrets_are_masked():
    assert key()[:8] not in repr(production())
    assert "postgresql://app" not in repr(production())


@pytest.mark.parametrize(
    "url",
    [
        "host.test/v1",
        "ftp://host.test",
        "https://",
        "https:///v1",
        "https://host.test:99999",
        "https://host.test:port",
        "https://[::1",
        "https://name:quartzheron@host.test",
        "https://host.test/v1?quartzheron",
        "https://host.test/v1#quartzheron",
        "https://host.test/a b",
        "https://host.test/\n",
        "javascript://host.test/%0aalert(1)",
    ],
)
@pytest.mark.parametrize("name", ["public_url", "model_url", "embedder_url"])
def test_a_base_url_that_nothing_can_be_reached_by_is_refused_without_being_shown(name, url):
    with pytest.raises(SettingsError) as refused:
        load_settings(**{"model_name": "m" * (name == "model_url"), name: url})

    [problem] = refused.value.problems
    assert problem.startswith(f"LIFEVAULT_{name.upper()} must be like https://")
    assert "quartzheron" not in problem


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://[::1]:8443/v1/", "https://xn--bcher-kva.test/api"])
def test_base_urls_are_accepted(url):
    settings = load_settings(public_url=url, model_url=url, model_name="m", embedder_url=url)

    assert settings.public_url == settings.model_url == settings.embedder_url == url


def test_the_public_url_can_not_be_empty():
    with pytest.raises(SettingsError, match="LIFEVAULT_PUBLIC_URL must be like"):
        load_settings(public_url="")
