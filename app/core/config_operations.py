"""Moving over from older services, features, and what operators are shown: a part of the settings."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from app.core.features import Feature
from app.core.routing import RoutingTable


class OperationSettings(BaseSettings):
    """Moving over from older services, features, and what operators are shown."""

    gateway_table: RoutingTable | None = Field(
        default=None, description="Services and routes of the gateway as JSON; nothing is passed on without."
    )
    gateway_file: Path | None = Field(
        default=None, description="File with the gateway's table instead; followed when it changes, without a restart."
    )
    gateway_keys: SecretStr = Field(
        default=SecretStr(""),
        description="HS256 keys `service:base64 of 32 bytes`, comma-separated, that sign who asks for each service.",
    )
    gateway_name: str = Field(
        default="lifevault", pattern=r"^[A-Za-z0-9._-]{1,40}$", description="Name of this gateway in `Via`."
    )
    release: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._+-]{0,80}$",
        description="Name of what was deployed, as an image's tag; shown by /health/live, in traces and reports.",
    )
    features: Mapping[str, Feature] = Field(
        default={}, description='Who has which feature, as JSON: {"name": {"percent": 10, "people": ["id"]}}.'
    )
    otel_endpoint: str = Field(
        default="",
        description="OTLP/HTTP collector that traces go to, e.g. http://collector:4318; needs the extra otel.",
    )
    otel_headers: SecretStr = Field(
        default=SecretStr(""), description="Headers for the collector as name=value, comma-separated."
    )
    otel_sampled_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of requests that are traced, unless the caller has decided."
    )
    sentry_dsn: SecretStr = Field(
        default=SecretStr(""), description="Where faults are reported, without what they say; needs the extra sentry."
    )
    slow_query_seconds: float = Field(
        default=1.0, ge=0, description="Statements that take longer are logged, without their parameters; 0: none."
    )
    event_streams_per_user: int = Field(
        default=20, ge=1, description="Connections by which one person may follow events, in each process."
    )
    event_heartbeat_seconds: float = Field(
        default=20, gt=0, le=300, description="Longest silence to those who follow events; rights are checked as often."
    )
    event_poll_seconds: float = Field(
        default=1, gt=0, description="Pause between looks for changes where the database can't notify (poolers)."
    )
    event_send_seconds: float = Field(
        default=20, gt=0, description="Those who follow events and take no message for this long are dropped."
    )
    compress_least_bytes: int = Field(
        default=1_024, ge=0, description="Answers of so many bytes are compressed where that is safe; 0: none."
    )
    replica_lag_seconds: float = Field(
        default=5, gt=0, description="Replicas that are further behind than this are not read from."
    )
    replica_wait_seconds: float = Field(
        default=1, gt=0, description="Longest wait for a replica, before the primary is read from instead."
    )
    replica_pin_seconds: int = Field(
        default=60, ge=1, description="How long it is remembered who has changed something; longer than the lag."
    )
