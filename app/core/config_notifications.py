"""How people are told, and where they are told: a part of the settings (see `app.core.config`)."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class NotificationSettings(BaseSettings):
    """How people are told, and where they are told."""

    smtp_url: SecretStr = Field(
        default=SecretStr(""), description="smtp://user:password@host:587 (STARTTLS) or smtps://host:465."
    )
    mail_from: str = Field(default="LifeVault <no-reply@lifevault.invalid>", description="Sender of e-mails.")
    mailbox_url: str = Field(default="", description="Viewer of the development mail catcher, if one runs.")
    default_time_zone: str = Field(
        default="UTC", description="Time zone (IANA) of people who have not said theirs, for reminders and digests."
    )
    inbox_days: int = Field(default=365, ge=30, description="Days that notifications are kept in the inbox.")
    push_subscriptions_per_user: int = Field(
        default=20, ge=1, description="Browsers in which one person gets notifications."
    )
    push_timeout_seconds: float = Field(default=10, gt=0, description="Longest wait for a push service.")
    push_private_addresses: bool = Field(
        default=False, description="Whether push services may have private addresses and http; for tests only."
    )
    webhooks_per_user: int = Field(default=20, ge=1, description="Outgoing webhooks one person may have.")
    webhook_timeout_seconds: float = Field(default=15, gt=0, description="Longest wait for a webhook's answer.")
    webhook_overlap_seconds: int = Field(
        default=86_400, ge=0, description="How long an exchanged secret of a webhook signs beside the new one."
    )
    webhook_message_days: int = Field(default=30, ge=1, description="Days that messages of webhooks are kept.")
    webhook_private_addresses: bool = Field(
        default=False, description="Whether webhooks may have private addresses and http; for tests only."
    )
    reminders_per_vault: int = Field(default=5_000, ge=1, description="Reminders one vault may hold.")
    reminders_per_user: int = Field(default=1_000, ge=1, description="Reminders of their own one person may have.")
    reminder_catch_up_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="Days after which a reminder that could not be sent is of no use any more.",
    )
    password_age_days: int = Field(
        default=365, ge=30, description="Age at which people are reminded to change their password."
    )
