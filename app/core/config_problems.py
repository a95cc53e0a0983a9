"""What is wrong with settings as a whole, though each of them is well-formed."""

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from app.core.clock import is_zone

if TYPE_CHECKING:
    from app.core.config import Settings

KEY_BYTES = 32
BASE_URL = re.compile(r"[A-Za-z0-9\-._~:/\[\]@!$&'()*+,;=%]+")  # RFC 3986, without ? and #
LEAST_SECRET = 16
WEAK_WORDS = ("secret", "changeme", "password", "lifevault", "example", "default")


def decoded(text: str) -> bytes:
    """Bytes from base64. Raises `binascii.Error`."""
    return base64.b64decode(text, validate=True)


def named_keys(value: SecretStr) -> list[tuple[str, bytes]]:
    """Keys by their names, in their order. Raises `binascii.Error`."""
    parts = [part.strip() for part in value.get_secret_value().split(",") if part.strip()]
    return [(name, decoded(key)) for name, _, key in (part.partition(":") for part in parts)]


def problems_of(settings: "Settings") -> list[str]:
    """What is wrong with settings that are well-formed one by one."""
    problems = _key_problems(settings) + _url_problems(settings)
    if settings.embedder == "http" and not (settings.embedder_url and settings.embedder_model):
        problems.append("LIFEVAULT_EMBEDDER_URL and LIFEVAULT_EMBEDDER_MODEL are needed for the http embedder")
    if bool(settings.model_url) != bool(settings.model_name):
        problems.append("LIFEVAULT_MODEL_URL and LIFEVAULT_MODEL_NAME go together")
    if not is_zone(settings.default_time_zone):
        problems.append("LIFEVAULT_DEFAULT_TIME_ZONE must be a time zone like Europe/Berlin")
    if settings.replica_urls and settings.replica_pin_seconds <= settings.replica_lag_seconds:
        problems.append("LIFEVAULT_REPLICA_PIN_SECONDS must be more than LIFEVAULT_REPLICA_LAG_SECONDS")
    problems += _payment_problems(settings) + _gateway_problems(settings)
    if settings.environment == "production":
        problems += _production_problems(settings)
    return problems


def is_live_key(key: SecretStr) -> bool:
    """Whether real money moves with this key of Stripe."""
    return key.get_secret_value().startswith(("sk_live_", "rk_live_"))


def _payment_problems(settings: "Settings") -> list[str]:
    """What the chosen payment provider lacks, and what must not stand beside it."""
    provider, key = settings.payment_provider, settings.stripe_api_key
    secrets = [each.strip() for each in settings.payment_webhook_secrets.get_secret_value().split(",")]
    checks = {
        "LIFEVAULT_PAYMENT_PROVIDER=sim moves no money and must not stand beside a live key of Stripe": (
            provider == "sim" and is_live_key(key)
        ),
        "LIFEVAULT_SIM_URL and LIFEVAULT_SIM_KEY are needed for the payment simulator": (
            provider == "sim" and not (settings.sim_url and settings.sim_key.get_secret_value())
        ),
        "LIFEVAULT_STRIPE_API_KEY is needed for Stripe": provider == "stripe" and not key.get_secret_value(),
        "LIFEVAULT_PAYMENT_WEBHOOK_SECRETS is needed to believe what the payment provider tells": (
            provider != "none" and not any(secrets)
        ),
    }
    return [problem for problem, found in checks.items() if found]


def _gateway_problems(settings: "Settings") -> list[str]:
    """What the gateway lacks; a table in a file is checked when the file is read."""
    try:
        keys = dict(named_keys(settings.gateway_keys))
    except (ValueError, binascii.Error):
        keys = {"": b""}
    problems = []
    if any(len(key) < KEY_BYTES for key in keys.values()):
        problems.append("LIFEVAULT_GATEWAY_KEYS must be service:base64 of 32 random bytes, comma-separated")
    if settings.gateway_table is not None:
        if settings.gateway_file is not None:
            problems.append("LIFEVAULT_GATEWAY_TABLE and LIFEVAULT_GATEWAY_FILE must not both be set")
        unsigned = settings.gateway_table.signed_services - keys.keys()
        problems += [f"LIFEVAULT_GATEWAY_KEYS must have a key for {name}" for name in sorted(unsigned)]
    return problems


def _url_problems(settings: "Settings") -> list[str]:
    """Which base URLs nothing could be reached by."""
    urls = {"PUBLIC": settings.public_url, "MODEL": settings.model_url, "EMBEDDER": settings.embedder_url}
    return [
        f"LIFEVAULT_{name}_URL must be like https://host/path, without a name, a password, a query or a fragment"
        for name, url in urls.items()
        if (url or name == "PUBLIC") and not _is_base_url(url)
    ]


def _is_base_url(url: str) -> bool:
    """Whether it is a web address that a path can be appended to (RFC 3986)."""
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError if there is a wrong one
    except ValueError:
        return False
    is_place = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    return is_place and "@" not in parts.netloc and BASE_URL.fullmatch(url) is not None


def _key_problems(settings: "Settings") -> list[str]:
    """What is wrong with the shape of the keys; nothing is said of keys that are not set."""
    problems = []
    for name, value in (("ROOT_KEYS", settings.root_keys), ("TOKEN_KEYS", settings.token_keys)):
        try:
            keys = named_keys(value)
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


def _production_problems(settings: "Settings") -> list[str]:
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
        "LIFEVAULT_FOREIGN_ISSUERS must be fetched by https": any(
            not each.jwks_url.startswith("https://") for each in settings.foreign_issuers
        ),
        "LIFEVAULT_DATABASE_URL must use TLS (sslmode=require or verify-full) or a local server": not _is_private(
            settings.database_url.get_secret_value()
        ),
        "LIFEVAULT_DATABASE_REPLICA_URLS must use TLS, too": not all(map(_is_private, settings.replica_urls)),
        "LIFEVAULT_RAPIDAPI_SECRETS must be at least 16 characters each": any(
            len(each.strip()) < LEAST_SECRET for each in settings.rapidapi_secrets.get_secret_value().split(",") if each
        ),
        "LIFEVAULT_PAYMENT_PROVIDER must not be sim: it moves no money": settings.payment_provider == "sim",
        "LIFEVAULT_PUSH_PRIVATE_ADDRESSES must be off": settings.push_private_addresses,
        "LIFEVAULT_STRIPE_URL must be https": not settings.stripe_url.startswith("https://"),
        "LIFEVAULT_MAIL_FROM must be an address of yours": settings.mail_from.rstrip(">").endswith(".invalid"),
    }
    problems = [problem for problem, found in checks.items() if found]
    if not _key_problems(settings):
        named = [*named_keys(settings.root_keys), *named_keys(settings.token_keys)]
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
