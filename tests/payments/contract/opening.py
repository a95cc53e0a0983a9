"""Providers for tests, opened by settings as the product opens them."""

from typing import Any

from hypothesis import HealthCheck, settings

from app.core.config import Settings, load_settings
from app.payments.providers.port import Provider
from app.payments.providers.registry import provider_of

NAMES = ("sim", "stripe")
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is no failure."""
KEY = "sk_test_contract"
SECRET = "whsec_contract_secret_of_32_letters"


def settings_of(name: str, url: str, key: str = KEY, secret: str = SECRET, **more: Any) -> Settings:
    urls = {"sim_url": url, "sim_key": key} if name == "sim" else {"stripe_url": url, "stripe_api_key": key}
    values = {"payment_webhook_secrets": secret, "payment_retries": 0, **urls, **more}
    return load_settings(environment="test", payment_provider=name, **values)


def open_provider(name: str, url: str, key: str = KEY, secret: str = SECRET, **more: Any) -> Provider:
    return provider_of(settings_of(name, url, key, secret, **more))
