"""Settings: one validated, frozen class, read from the environment once and passed on."""

import base64
import binascii
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

KIB = 1024
MIB = 1024 * KIB
KEY_BYTES = 32
WEAK_WORDS = ("secret", "changeme", "password", "lifevault", "example", "default")

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """The environment does not make a valid configuration; `problems` lists every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
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
    smtp_url: SecretStr = Field(
        default=SecretStr(""), description="smtp://user:password@host:587 (STARTTLS) or smtps://host:465."
    )
    mail_from: str = Field(default="LifeVault <no-reply@lifevault.invalid>", description="Sender of e-mails.")
    mailbox_url: str = Field(default="", description="Viewer of the development mail catcher, if one runs.")

    max_body_bytes: int = Field(default=MIB, ge=KIB, description="Largest JSON body.")
    max_upload_bytes: int = Field(default=256 * MIB, ge=KIB, description="Largest file.")
    max_json_depth: int = Field(default=32, ge=4, description="Deepest nesting of a JSON body.")
    upload_chunk_bytes: int = Field(
        default=256 * KIB, ge=64 * KIB, le=MIB, description="Plaintext bytes in one encrypted chunk of a file."
    )
    vaults_per_user: int = Field(default=100, ge=1, description="Vaults one person may own.")
    items_per_vault: int = Field(default=20_000, ge=1, description="Items one vault may hold.")
    documents_per_vault: int = Field(default=20_000, ge=1, description="Documents one vault may hold.")
    members_per_vault: int = Field(default=50, ge=1, description="Members and open invitations of one vault.")
    trash_days: int = Field(default=30, ge=1, description="Days until something in the trash is purged.")
    cors_origins: CommaSeparated = Field(default=(), description="Web origins that may call the API, comma-separated.")
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for /metrics; without it only loopback clients are answered."
    )

    ingest_max_pages: int = Field(default=2_000, ge=1, description="Most pages read from one document.")
    ingest_max_seconds: int = Field(default=240, ge=1, description="Longest time for reading one document.")
    ingest_max_memory_bytes: int = Field(
        default=2_048 * MIB, ge=256 * MIB, description="Memory of the reading process."
    )
    ingest_max_chars: int = Field(default=10_000_000, ge=1_000, description="Most characters kept of one document.")
    ocr_max_pages: int = Field(default=50, ge=0, description="Most pages of one document read by OCR.")
    ocr_languages: str = Field(default="eng", description="Languages of tesseract, joined by +.")
    embedder: Literal["builtin", "http", "none"] = Field(
        default="builtin", description="builtin: MiniLM in this process; http: an OpenAI-compatible endpoint."
    )
    embedder_url: str = Field(default="", description="Base URL of the embeddings endpoint, e.g. https://host/v1.")
    embedder_api_key: SecretStr = Field(default=SecretStr(""), description="Its key.")
    embedder_model: str = Field(default="", description="Its model.")
    embedder_dimensions: int = Field(default=384, ge=8, le=4_096, description="Length of its vectors.")
    embedder_threads: int = Field(default=1, ge=1, description="Threads of the built-in embedder.")
    shard_cache_bytes: int = Field(default=256 * MIB, ge=MIB, description="Opened index shards kept in memory.")
    model_url: str = Field(default="", description="Base URL of an OpenAI-compatible chat endpoint; none if empty.")
    model_api_key: SecretStr = Field(default=SecretStr(""), description="Its key.")
    model_name: str = Field(default="", description="Its model; with a base URL the model writes the answers.")
    model_timeout_seconds: float = Field(default=60, gt=0, description="Longest wait for the model.")
    job_max_attempts: int = Field(default=4, ge=1, description="Tries before a job is failed for good.")
    job_lease_seconds: int = Field(
        default=30, ge=5, description="A worker that is silent for this long is taken for dead."
    )

    @field_validator("trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = _problems(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @cached_property
    def root_key_ring(self) -> dict[int, bytes]:
        """Root keys by version."""
        return {int(version): key for version, key in _named_keys(self.root_keys)}

    @cached_property
    def token_key_ring(self) -> dict[str, bytes]:
        """Token keys by key id; the first one signs."""
        return dict(_named_keys(self.token_keys))

    @cached_property
    def lookup_key_bytes(self) -> bytes:
        """The key of global look-ups."""
        return _decode(self.lookup_key.get_secret_value())

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


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _named_keys(value: SecretStr) -> list[tuple[str, bytes]]:
    parts = [part.strip() for part in value.get_secret_value().split(",") if part.strip()]
    return [(name, _decode(key)) for name, _, key in (part.partition(":") for part in parts)]


def _problems(settings: Settings) -> list[str]:
    """What is wrong with settings that are well-formed one by one."""
    problems = _key_problems(settings)
    if settings.embedder == "http" and not (settings.embedder_url and settings.embedder_model):
        problems.append("LIFEVAULT_EMBEDDER_URL and LIFEVAULT_EMBEDDER_MODEL are needed for the http embedder")
    if bool(settings.model_url) != bool(settings.model_name):
        problems.append("LIFEVAULT_MODEL_URL and LIFEVAULT_MODEL_NAME go together")
    if settings.environment == "production":
        problems += _production_problems(settings)
    return problems


def _key_problems(settings: Settings) -> list[str]:
    """What is wrong with the shape of the keys; nothing is said of keys that are not set."""
    problems = []
    for name, value in (("ROOT_KEYS", settings.root_keys), ("TOKEN_KEYS", settings.token_keys)):
        try:
            keys = _named_keys(value)
            if any(len(key) < KEY_BYTES for _, key in keys) or (name == "ROOT_KEYS" and not _are_root_keys(keys)):
                raise ValueError
            if len({key_id for key_id, _ in keys}) != len(keys):
                raise ValueError
        except (ValueError, binascii.Error):
            problems.append(f"LIFEVAULT_{name} must be name:base64 of 32 random bytes, comma-separated, names unique")
    try:
        if settings.lookup_key.get_secret_value() and len(settings.lookup_key_bytes) != KEY_BYTES:
            raise ValueError
    except (ValueError, binascii.Error):
        problems.append("LIFEVAULT_LOOKUP_KEY must be base64 of 32 random bytes")
    return problems


def _are_root_keys(keys: list[tuple[str, bytes]]) -> bool:
    return all(version.isdecimal() and len(key) == KEY_BYTES for version, key in keys)


def _is_weak(key: bytes) -> bool:
    return len(set(key)) < KEY_BYTES // 2 or any(word.encode() in key.lower() for word in WEAK_WORDS)


def _production_problems(settings: Settings) -> list[str]:
    """Why these settings must not face the world."""
    checks = {
        "LIFEVAULT_ROOT_KEYS is missing": not settings.root_keys.get_secret_value(),
        "LIFEVAULT_TOKEN_KEYS is missing": not settings.token_keys.get_secret_value(),
        "LIFEVAULT_LOOKUP_KEY is missing": not settings.lookup_key.get_secret_value(),
        "LIFEVAULT_DATABASE_URL is missing": not settings.database_url.get_secret_value(),
        "LIFEVAULT_REDIS_URL is missing": not settings.redis_url.get_secret_value(),
        "LIFEVAULT_BLOB_URL is missing": not settings.blob_url,
        "LIFEVAULT_SMTP_URL is missing": not settings.smtp_url.get_secret_value(),
        "LIFEVAULT_DEBUG must be off": settings.debug,
        "LIFEVAULT_CORS_ORIGINS must name origins, not *": "*" in settings.cors_origins,
        "LIFEVAULT_PUBLIC_URL must be https": not settings.public_url.startswith("https://"),
        "LIFEVAULT_DATABASE_URL must use TLS (sslmode=require or verify-full) or a local server": not _is_private(
            settings.database_url.get_secret_value()
        ),
        "LIFEVAULT_MAIL_FROM must be an address of yours": settings.mail_from.rstrip(">").endswith(".invalid"),
    }
    problems = [problem for problem, found in checks.items() if found]
    if not _key_problems(settings):
        named = [*_named_keys(settings.root_keys), *_named_keys(settings.token_keys)]
        keys = [key for _, key in named] + [settings.lookup_key_bytes] * bool(settings.lookup_key.get_secret_value())
        if any(_is_weak(key) for key in keys):
            problems.append("the keys must be random bytes: one of them looks weak")
        if len(set(keys)) != len(keys):
            problems.append("the keys must differ from each other")
    return problems


def _is_private(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    encrypted = any(f"sslmode={mode}" in url for mode in ("require", "verify-ca", "verify-full"))
    return encrypted or host in ("", "127.0.0.1", "localhost", "::1")
