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
    features: Mapping[str, Feature] = Field(
        default={}, description='Who has which feature, as JSON: {"name": {"percent": 10, "people": ["id"]}}.'
    )
    slow_query_seconds: float = Field(
        default=1.0, ge=0, description="Statements that take longer are logged, without their parameters; 0: none."
    )
