"""Settings: one validated, frozen class, read from the environment once and passed on."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.config_problems import decoded, named_keys, problems_of
from app.core.issuers import ForeignIssuer

KIB = 1024
MIB = 1024 * KIB

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

    seller: str = Field(
        default="LifeVault", max_length=500, description="Name, address and tax id on receipts; lines parted by |."
    )
    idempotency_days: int = Field(
        default=30, ge=1, description="Days in which a repeated request with the same Idempotency-Key is recognised."
    )
    idempotency_lease_seconds: int = Field(
        default=60,
        ge=5,
        description="A request with an Idempotency-Key that is silent for this long is taken for dead.",
    )
    payment_provider: Literal["sim", "stripe", "none"] = Field(
        default="none",
        description="Who takes payments: Stripe, nobody, or the simulator, where no money moves.",
    )
    sim_url: str = Field(default="", description="Where the payment simulator is; `lifevault up` sets it.")
    sim_key: SecretStr = Field(default=SecretStr(""), description="Its key.")
    stripe_api_key: SecretStr = Field(default=SecretStr(""), description="Secret or restricted key of Stripe.")
    stripe_url: str = Field(default="https://api.stripe.com", description="Base URL of Stripe's API.")
    stripe_account: str = Field(
        default="", description="Connected account that is acted for, acct_…; the key's own if empty."
    )
    payment_webhook_secrets: SecretStr = Field(
        default=SecretStr(""), description="Signing secrets of the provider's webhooks, comma-separated; all are good."
    )
    max_webhook_bytes: int = Field(default=MIB, ge=KIB, description="Largest webhook of a payment provider.")
    payment_timeout_seconds: float = Field(default=20, gt=0, description="Longest wait for the payment provider.")
    payment_connect_timeout_seconds: float = Field(
        default=5, gt=0, description="Longest wait for a connection to the payment provider."
    )
    payment_retries: int = Field(
        default=1, ge=0, le=5, description="Further tries of a call that the payment provider did not answer."
    )
    payment_return_origins: CommaSeparated = Field(
        default=(), description="Origins besides the public URL that people may come back to from a checkout."
    )
    payment_grace_days: int = Field(
        default=14, ge=0, description="Days that everything stays open after a renewal that could not be paid."
    )
    enforce_plan_limits: bool | None = Field(
        default=None, description="Whether a plan's limits stop anybody; usage is counted anyway. Left out: production."
    )
    rapidapi_secrets: SecretStr = Field(
        default=SecretStr(""), description="Proxy secrets of RapidAPI that are believed, comma-separated; none: off."
    )
    rapidapi_plans: CommaSeparated = Field(
        default=("BASIC=free", "PRO=plus", "ULTRA=family", "MEGA=family", "CUSTOM=family"),
        description="The plan of each RapidAPI subscription, as SUBSCRIPTION=plan, comma-separated.",
    )
    operators: CommaSeparated = Field(default=(), description="E-mail addresses of those who may see all reports.")
    seat_invitation_seconds: int = Field(default=72 * 3_600, ge=3_600, description="Life of an invitation to a seat.")
    credit_hold_seconds: int = Field(default=900, ge=60, description="Longest time that credits are set aside for.")

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
    shard_reserve_bytes: int = Field(
        default=64 * MIB, ge=0, description="Memory that opened shards use again and again."
    )
    model_url: str = Field(default="", description="Base URL of an OpenAI-compatible chat endpoint; none if empty.")
    model_api_key: SecretStr = Field(default=SecretStr(""), description="Its key.")
    model_name: str = Field(default="", description="Its model; with a base URL the model writes the answers.")
    model_timeout_seconds: float = Field(default=60, gt=0, description="Longest wait for the model.")
    agent_models: CommaSeparated = Field(
        default=(), description="Models that agents may use besides, as provider:name, in the order in which to try."
    )
    agent_falls_back: bool = Field(
        default=True, description="Whether the built-in model answers agents when no other model does."
    )
    agent_max_steps: int = Field(default=16, ge=1, le=200, description="Requests to a model in one run at most.")
    agent_max_tokens: int = Field(default=400_000, ge=1_000, description="Tokens of one run at most.")
    agent_max_seconds: int = Field(default=300, ge=1, description="Longest time of one run without its waiting.")
    agent_calls_per_step: int = Field(default=16, ge=1, le=200, description="Tools that a model may use at once.")
    agent_answer_tokens: int = Field(default=2_000, ge=16, description="Tokens that a model may write at once.")
    agent_runs_at_once: int = Field(default=10, ge=1, description="Runs of one person that go on at the same time.")
    agents_per_user: int = Field(default=100, ge=1, description="Agents one person may make.")
    agent_schedules_per_user: int = Field(default=50, ge=1, description="Schedules one person may make.")
    memories_per_user: int = Field(default=200, ge=1, description="Facts that a person's agents remember.")
    approval_seconds: int = Field(
        default=3 * 86_400, ge=60, le=90 * 86_400, description="How long a person can answer an agent's question."
    )
    agent_questions_at_once: int = Field(
        default=50, ge=1, description="Questions of programs that wait for a person's approval at the same time."
    )
    mcp_hosts: CommaSeparated = Field(
        default=(), description="Hosts besides the public URL's under which /mcp answers; host:* is any port."
    )
    answer_hosts: CommaSeparated = Field(
        default=(), description="Hosts besides the public URL's that links in answers may lead to."
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
        """Hosts that links in answers may lead to."""
        return frozenset({*self.answer_hosts, urlsplit(self.public_url).hostname or ""}) - {""}

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
