"""The payment provider, plans, and consumers of a marketplace: a part of the settings (see `app.core.config`)."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from app.core.config_units import KIB, MIB, CommaSeparated


class PaymentSettings(BaseSettings):
    """The payment provider, plans, and consumers of a marketplace."""

    seller: str = Field(
        default="LifeVault", max_length=500, description="Name, address and tax id on receipts; lines parted by |."
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
    operator_session_seconds: int = Field(
        default=8 * 3_600, ge=300, le=86_400, description="How long an operator stays signed in to /operator."
    )
    seat_invitation_seconds: int = Field(default=72 * 3_600, ge=3_600, description="Life of an invitation to a seat.")
    credit_hold_seconds: int = Field(default=900, ge=60, description="Longest time that credits are set aside for.")
