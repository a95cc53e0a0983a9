"""The payment simulator of a data folder: a process of its own on a kept port, its books in the folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.cli.embedded.command import Command, base_environment, python_command
from app.cli.embedded.environment import GivenSettings
from app.cli.embedded.ports import LOOPBACK
from app.cli.embedded.secrets import Secrets
from app.core.config_problems import is_live_key

SIMULATOR_FOLDER: Final = "simulator"
WEBHOOK_PATH: Final = "/v1/payments/webhooks/sim"


@dataclass(frozen=True)
class PaymentSimulator:
    """Where it listens, what it tells whom, and with which secrets."""

    folder: Path
    port: int
    key: str
    webhook_secret: str
    webhook_url: str
    environment: str

    @classmethod
    def find(
        cls, folder: Path, port: int | None, given: GivenSettings, secrets: Secrets, public_url: str
    ) -> "PaymentSimulator | None":
        """The simulator of a folder; None in production, beside a live key, or where something else was chosen."""
        is_other = given.has("payment_provider") and given.payment_provider != "sim"
        is_elsewhere = given.has("sim_url")
        is_real = given.environment == "production" or is_live_key(given.stripe_api_key)
        if port is None or is_other or is_elsewhere or is_real:
            return None
        own_secret = given.payment_webhook_secrets.get_secret_value().partition(",")[0].strip()
        return cls(
            folder,
            port,
            given.sim_key.get_secret_value() or secrets.sim_key,
            own_secret or secrets.sim_webhook_secret,
            public_url + WEBHOOK_PATH,
            given.environment,
        )

    @property
    def url(self) -> str:
        """Where it is reached on this machine."""
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> Command:
        """How it is started; its secrets stay out of the argument list."""
        environment = base_environment() | {
            "LIFEVAULT_SIM_KEY": self.key,
            "LIFEVAULT_PAYMENT_WEBHOOK_SECRETS": self.webhook_secret,
            "LIFEVAULT_ENVIRONMENT": self.environment,
        }
        books = self.folder / SIMULATOR_FOLDER / "books.sqlite"
        arguments = ("--port", str(self.port), "--data", str(books), "--webhook-url", self.webhook_url)
        return python_command(self.folder, environment, "-m", "app.payments.sim", *arguments)
