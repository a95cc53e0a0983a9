"""What the children are told: everything a person has set wins, the rest is filled in with the embedded services."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError, model_validator

from app.cli.embedded.secrets import Secrets
from app.core.config import Settings, SettingsError, load_settings

DOTENV = Path(".env")


class GivenSettings(Settings):
    """What has been set, before the embedded services fill the gaps: production's refusals come later."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        return self

    def has(self, field: str) -> bool:
        """Whether a person has set this field to something."""
        value = getattr(self, field)
        return field in self.model_fields_set and bool(value.get_secret_value() if _is_secret(value) else value)


@dataclass(frozen=True)
class Services:
    """Addresses of the embedded services; None where an outside one is used."""

    database_url: str | None
    migration_database_url: str | None
    redis_url: str | None
    smtp_url: str | None
    mailbox_url: str | None
    simulator_url: str | None = None


def fill_gaps(
    given: GivenSettings, folder: Path, secrets: Secrets, services: Services, public_url: str
) -> dict[str, str]:
    """Values for the fields that nobody has set.

    Keys are only made up for development and tests: production must be given its own. Raises `SettingsError`.
    """
    offered: dict[str, str | None] = {
        "environment": given.environment,
        "data_dir": str(folder),
        "public_url": public_url,
        "blob_url": (folder / "blobs").as_uri(),
        "database_url": services.database_url,
        "redis_url": services.redis_url,
        "smtp_url": services.smtp_url,
        "mailbox_url": services.mailbox_url,
    }
    if services.simulator_url is not None:
        offered |= {
            "payment_provider": "sim",
            "sim_url": services.simulator_url,
            "sim_key": secrets.sim_key,
            "payment_webhook_secrets": secrets.sim_webhook_secret,
        }
    if services.database_url is not None:
        offered["migration_database_url"] = services.migration_database_url
    if given.environment != "production":
        offered |= {
            "rate_limit_per_minute": "0",  # one's own machine; password guessing is throttled all the same
            "anonymous_rate_limit_per_minute": "0",
            "root_keys": secrets.root_keys,
            "token_keys": secrets.token_keys,
            "lookup_key": secrets.lookup_key,
        }
    filled = {name: value for name, value in offered.items() if value is not None and not given.has(name)}
    filled["data_dir"] = str(folder)
    load_settings(**filled)
    return filled


def child_environment(filled: Mapping[str, str]) -> dict[str, str]:
    """The environment of the API and the worker. They run in the data folder, so `.env` is read here."""
    dotenv = {name: value for name, value in dotenv_values(DOTENV).items() if value is not None}
    return {**dotenv, **os.environ, **{f"LIFEVAULT_{name.upper()}": value for name, value in filled.items()}}


def read_given() -> GivenSettings:
    """What the environment and `.env` say. Raises `SettingsError` with everything that is wrong."""
    try:
        return GivenSettings()
    except ValidationError:
        load_settings()
        raise SettingsError(["the settings can't be read"]) from None


def _is_secret(value: object) -> bool:
    return isinstance(value, SecretStr)
