"""The shop of the outgoing side, for what comes in."""

from tests.payments.outbound.conftest import payer, shop

__all__ = ["payer", "shop"]
