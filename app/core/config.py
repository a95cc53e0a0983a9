"""Settings: one validated, frozen class, read from the environment once and passed on."""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from app.core.config_assistants import AssistantSettings
from app.core.config_legacy import LegacySettings
from app.core.config_notifications import NotificationSettings
from app.core.config_operations import OperationSettings
from app.core.config_payments import PaymentSettings
from app.core.config_problems import decoded, named_keys, problems_of
from app.core.config_transfers import TransferSettings
from app.core.config_units import KIB, MIB, CommaSeparated
from app.core.config_vaults import VaultSettings
from app.core.issuers import ForeignIssuer


class SettingsError(Exception):
    """The environment does not make a valid configuration; `problems` lists every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(
    LegacySettings,
    NotificationSettings,
    VaultSettings,
    TransferSettings,
    PaymentSettings,
    AssistantSettings,
    OperationSettings,
):
    """Everything that can be configured; environment variables are the upper-case names with `LIFEVAULT_`."""

    model_config = SettingsConfigDict(
        env_prefix="LIFEVAULT_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    environment: Literal["development", "test", "production"] = Field(
        default="development", description="Production refuses weak or missing secrets; development has a mail catcher."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="Where clients reach the API; used in e-mails."
    )
    data_dir: Path | None = Field(default=None, description="Folder of `lifevault up`: databases, blobs, logs, models.")
    debug: bool = Field(default=False, description="Verbose logs; refused in production.")

    database_url: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("LIFEVAULT_DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL 15 or newer, e.g. postgresql://user:password@host/db?sslmode=require.",
    )
    migration_database_url: SecretStr = Field(
        default=SecretStr(""), description="Direct URL of the owner of the tables; the database URL if empty."
    )
    database_replica_urls: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("LIFEVAULT_DATABASE_REPLICA_URLS", "DATABASE_REPLICA_URLS"),
        description="Streaming replicas that reads may go to, as URLs like the database's, comma-separated.",
    )
    database_pool_size: int = Field(default=10, ge=1, description="Connections kept open by each process.")
    database_pool_overflow: int = Field(default=20, ge=0, description="Connections opened above the pool under load.")
    database_timeout_seconds: float = Field(default=10, gt=0, description="Longest wait for one statement.")
    database_connect_timeout_seconds: float = Field(default=3, gt=0, description="Longest wait for a connection.")
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("LIFEVAULT_REDIS_URL", "REDIS_URL"),
        description="Redis or Valkey for the queue and for throttling.",
    )
    redis_timeout_seconds: float = Field(default=0.25, gt=0, description="Longest wait for Redis within a request.")

    root_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Root keys `version:base64 of 32 bytes`, comma-separated; the highest version wraps new keys.",
    )
    token_keys: SecretStr = Field(
        default=SecretStr(""), description="HS256 keys `kid:base64`, comma-separated; the first signs."
    )
    lookup_key: SecretStr = Field(default=SecretStr(""), description="Base64 of 32 bytes; keyed look-up of addresses.")
    token_issuer: str = Field(default="lifevault", description="`iss` of access tokens.")
    token_audience: str = Field(default="lifevault-api", description="`aud` of access tokens.")
    access_token_seconds: int = Field(default=900, ge=60, le=86_400, description="Life of an access token.")
    refresh_token_seconds: int = Field(default=30 * 86_400, ge=3_600, description="Life of an unused refresh token.")
    email_token_seconds: int = Field(default=86_400, ge=300, description="Life of a verification link.")
    reset_token_seconds: int = Field(default=3_600, ge=300, description="Life of a password reset link.")
    invitation_seconds: int = Field(default=72 * 3_600, ge=3_600, description="Life of an invitation to a vault.")
    password_min_length: int = Field(default=10, ge=8, le=128, description="Shortest password accepted.")
    sign_in_attempts: int = Field(default=10, ge=1, description="Failed sign-ins per account and address in a window.")
    sign_in_window_seconds: int = Field(default=900, ge=1, description="Window of the sign-in throttle.")
    rate_limit_per_minute: int = Field(default=600, ge=0, description="Requests a minute per principal; 0 is no limit.")
    anonymous_rate_limit_per_minute: int = Field(
        default=120, ge=0, description="Requests a minute per address without a token; 0 is no limit."
    )
    trusted_proxies: CommaSeparated = Field(default=(), description="Addresses whose X-Forwarded-For is believed.")

    blob_url: str = Field(default="", description="Where encrypted files live: file:///folder, s3://bucket/prefix, …")
    max_body_bytes: int = Field(default=MIB, ge=KIB, description="Largest JSON body.")
    max_upload_bytes: int = Field(default=256 * MIB, ge=KIB, description="Largest file.")
    max_json_depth: int = Field(default=32, ge=4, description="Deepest nesting of a JSON body.")
    upload_chunk_bytes: int = Field(
        default=256 * KIB, ge=64 * KIB, le=MIB, description="Plaintext bytes in one encrypted chunk of a file."
    )
    cors_origins: CommaSeparated = Field(default=(), description="Web origins that may call the API, comma-separated.")
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for /metrics; without it only loopback clients are answered."
    )

    idempotency_days: int = Field(
        default=30, ge=1, description="Days in which a repeated request with the same Idempotency-Key is recognised."
    )
    idempotency_lease_seconds: int = Field(
        default=60,
        ge=5,
        description="A request with an Idempotency-Key that is silent for this long is taken for dead.",
    )
    job_max_attempts: int = Field(default=4, ge=1, description="Tries before a job is failed for good.")
    job_lease_seconds: int = Field(
        default=30, ge=5, description="A worker that is silent for this long is taken for dead."
    )

    step_up_seconds: int = Field(
        default=600, ge=60, le=86_400, description="How long after a proof of identity dangerous acts are open."
    )
    challenge_seconds: int = Field(
        default=300, ge=30, le=3_600, description="Time to answer with a second factor or a passkey."
    )
    second_factor_attempts: int = Field(
        default=10, ge=1, description="Wrong second factors per account and address in an hour."
    )
    api_keys_per_user: int = Field(default=50, ge=1, description="API keys one person may have.")
    passkeys_per_user: int = Field(default=20, ge=1, description="Passkeys one person may have.")
    passkey_domain: str = Field(
        default="", description="Domain of passkeys (RP ID); the host of the public URL if empty."
    )
    passkey_origins: CommaSeparated = Field(
        default=(), description="Origins that passkeys are used from, comma-separated; the public URL's if empty."
    )
    password_strength: int = Field(
        default=3, ge=0, le=4, description="Least score of a password in the scale of zxcvbn, 0 to 4."
    )
    account_deletion_days: int = Field(
        default=14, ge=0, le=365, description="Days in which a deleted account can be restored."
    )
    issuer_pause_seconds: float = Field(
        default=30, ge=0, description="Least pause between two fetches of an issuer's keys."
    )
    foreign_issuers: tuple[ForeignIssuer, ...] = Field(
        default=(), description="Issuers of JWTs that are accepted, as JSON: issuer, jwks_url, audience, algorithms, …"
    )

    @field_validator(
        "trusted_proxies",
        "cors_origins",
        "passkey_origins",
        "operators",
        "payment_return_origins",
        "agent_models",
        "answer_hosts",
        "mcp_hosts",
        "rapidapi_plans",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = problems_of(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @cached_property
    def root_key_ring(self) -> dict[int, bytes]:
        """Root keys by version."""
        return {int(version): key for version, key in named_keys(self.root_keys)}

    @cached_property
    def token_key_ring(self) -> dict[str, bytes]:
        """Token keys by key id; the first one signs."""
        return dict(named_keys(self.token_keys))

    @cached_property
    def replica_urls(self) -> list[str]:
        """URLs of replicas."""
        return [url.strip() for url in self.database_replica_urls.get_secret_value().split(",") if url.strip()]

    @cached_property
    def gateway_key_ring(self) -> dict[str, bytes]:
        """Keys by the service that they sign for."""
        return dict(named_keys(self.gateway_keys))

    @property
    def has_gateway(self) -> bool:
        """Whether any request is passed on."""
        return self.gateway_table is not None or self.gateway_file is not None

    @cached_property
    def lookup_key_bytes(self) -> bytes:
        """The key of global look-ups."""
        return decoded(self.lookup_key.get_secret_value())

    @cached_property
    def rapidapi_plan_codes(self) -> dict[str, str]:
        """Codes of plans by subscription at RapidAPI."""
        pairs = (each.partition("=") for each in self.rapidapi_plans)
        return {name.strip().upper(): code.strip() for name, _, code in pairs}

    @property
    def answer_host_names(self) -> frozenset[str]:
        """Hosts that links in answers may lead to, with their port if it is another than that of the scheme."""
        return frozenset({*self.answer_hosts, urlsplit(self.public_url).netloc}) - {""}

    @property
    def plan_limits_enforced(self) -> bool:
        """Whether a plan's limits stop anybody."""
        return self.environment == "production" if self.enforce_plan_limits is None else self.enforce_plan_limits

    @property
    def migration_url(self) -> str:
        """The URL that migrations connect to."""
        return (self.migration_database_url.get_secret_value() or self.database_url.get_secret_value()).strip()


def load_settings(**values: Any) -> Settings:
    """Settings from the environment and `.env`, overridden by `values`.

    Raises `SettingsError` with all problems at once; no problem contains a value.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = [line for item in error.errors() for line in _lines(item)]
        raise SettingsError([*problems, *_problems_of_the_rest(error, values)]) from None


def _problems_of_the_rest(error: ValidationError, values: dict[str, Any]) -> list[str]:
    """What is wrong besides single fields, which are checked first, as if those were as good as their defaults."""
    fields = [str(item["loc"][0]) for item in error.errors() if item["loc"]]
    names = {name for field in fields for name in Settings.model_fields if field.lower() in (name, f"lifevault_{name}")}
    good = {name: Settings.model_fields[name].get_default() for name in names}
    if not fields or not names:
        return []
    try:
        Settings(**{**values, **good})
    except ValidationError as others:
        return [line for item in others.errors() if not item["loc"] for line in _lines(item)]
    return []


def _lines(item: Any) -> list[str]:
    name = "_".join(str(part) for part in item["loc"]).upper()
    message = str(item["msg"]).removeprefix("Value error, ")
    if not name:
        return message.split("\n")
    return [f"{name if name.startswith('LIFEVAULT_') else 'LIFEVAULT_' + name}: {message}"]
