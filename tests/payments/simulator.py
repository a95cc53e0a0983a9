"""The payment simulator as a process, and what tests do with it."""

import contextlib
import os
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import stripe

from tests.stack import free_port

KEY = "sk_test_simulator_0123456789"
WEBHOOK_SECRET = "whsec_simulator_0123456789abcdef0123"
START_SECONDS = 60
DAY = 86_400


@dataclass
class Simulator:
    """A running simulator.

    `url`, `key` and `webhook_secret` are what the product is given; `control` asks the side door below `/_sim`;
    `sdk` is the official SDK pointed at it.
    """

    port: int
    data: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    key: str = KEY
    webhook_secret: str = WEBHOOK_SECRET

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def start(self) -> None:
        """Start the process and wait until it answers."""
        secrets = {"LIFEVAULT_SIM_KEY": self.key, "LIFEVAULT_PAYMENT_WEBHOOK_SECRETS": self.webhook_secret}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIFEVAULT_", "STRIPE_"))}
        data = () if self.data is None else ("--data", str(self.data))
        command = [sys.executable, "-m", "app.payments.sim", "--port", str(self.port), *data]
        self.process = subprocess.Popen(command, env={**kept, **secrets, **self.environment})
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, "the simulator ended"
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/_sim/clock", headers=self.headers).raise_for_status()
                return
            time.sleep(0.02)
        raise AssertionError("the simulator does not answer")

    def stop(self) -> None:
        """End it politely."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def reset(self) -> None:
        """Empty it: no customers, no faults, the real time."""
        httpx.post(f"{self.url}/_sim/reset", headers=self.headers, timeout=30, verify=False).raise_for_status()

    async def control(self, path: str, json: dict[str, Any] | None = None, *, method: str = "POST") -> dict[str, Any]:
        """Ask the side door; `path` without `/_sim`. Fails unless the answer is 200."""
        async with httpx.AsyncClient(headers=self.headers, timeout=120, verify=False) as client:
            answer = await client.request(method, f"{self.url}/_sim{path}", json=json)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    async def advance(self, seconds: float = 0, *, days: float = 0) -> int:
        """Move the clock; returns its time."""
        return int((await self.control("/clock", {"advance_seconds": int(seconds + days * DAY)}))["now"])

    @contextlib.asynccontextmanager
    async def sdk(self, *, key: str | None = None, retries: int = 0) -> AsyncIterator[stripe.StripeClient]:
        """The official SDK for the event loop that runs now."""
        http = stripe.HTTPXClient()
        addresses: Any = {"api": self.url}
        client = stripe.StripeClient(
            key or self.key, base_addresses=addresses, http_client=http, max_network_retries=retries
        )
        with warnings.catch_warnings():
            # The SDK hands its form to httpx in a way that httpx discourages; the product's providers do not.
            warnings.filterwarnings("ignore", "Use 'content=<...>'", DeprecationWarning)
            yield client
        await http.close_async()


def new_simulator(data: Path | None = None, **environment: str) -> Simulator:
    """A simulator that is not started yet."""
    return Simulator(free_port(), data, environment)
