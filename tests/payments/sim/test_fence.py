"""The simulator starts only where no real money can be meant."""

import subprocess
import sys

import pytest

from app.payments.sim.server import SimulatorRefused, create_simulator

KEY = "sk_test_0123456789abcdef"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LIFEVAULT_SIM_KEY": KEY, "LIFEVAULT_ENVIRONMENT": "production"}, "does not run in production"),
        ({"LIFEVAULT_SIM_KEY": KEY, "STRIPE_API_KEY": "sk_live_1"}, "A live Stripe key is set"),
        ({"LIFEVAULT_SIM_KEY": KEY, "LIFEVAULT_STRIPE_API_KEY": " rk_live_1"}, "A live Stripe key is set"),
        ({"LIFEVAULT_SIM_KEY": "sk_live_0123456789abcdef"}, "A live Stripe key is set"),
        ({"LIFEVAULT_SIM_KEY": "short"}, "at least 16 characters"),
        ({}, "at least 16 characters"),
    ],
)
def test_it_refuses_in_plain_words(tmp_path, environment, words):
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIFEVAULT_", "STRIPE_"))}
    books = tmp_path / "books.sqlite"
    command = [sys.executable, "-m", "app.payments.sim", "--port", "1", "--data", str(books)]
    done = subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(value in done.stderr for value in environment.values() if "_live_" in value)
    assert not books.exists()


def test_it_refuses_as_a_library_too():
    with pytest.raises(SimulatorRefused):
        create_simulator(None, secret_key=KEY, public_url="http://127.0.0.1:1", other_keys=["sk_live_x"])
