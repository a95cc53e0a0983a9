"""A shop at the running simulator."""

import pytest
import stripe

from tests.payments.sim.market import Market, market_of
from tests.payments.simulator import Simulator


@pytest.fixture
def market(simulator: Simulator, sdk: stripe.StripeClient) -> Market:
    return market_of(simulator, sdk)
