"""`python -m app.payments.sim --port N --data FILE`: the simulator as a process of its own, on loopback."""

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from app.payments.sim.server import SimulatorRefused, create_simulator

KEY_NAMES = ("LIFEVAULT_STRIPE_API_KEY", "STRIPE_API_KEY", "STRIPE_SECRET_KEY", "LIFEVAULT_SIM_KEY")


def main() -> int:
    """Serve until told to stop; 1 if it refuses to start."""
    parser = argparse.ArgumentParser(prog="python -m app.payments.sim", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, help="file for the books; in memory if left out")
    parser.add_argument("--public-url", default="", help="where browsers reach the pages")
    parser.add_argument("--webhook-url", default=os.environ.get("LIFEVAULT_SIM_WEBHOOK_URL", ""))
    arguments = parser.parse_args()
    secrets = os.environ.get("LIFEVAULT_PAYMENT_WEBHOOK_SECRETS", "")
    try:
        app = create_simulator(
            arguments.data,
            secret_key=os.environ.get("LIFEVAULT_SIM_KEY", ""),
            public_url=arguments.public_url or f"http://{arguments.host}:{arguments.port}",
            webhook_url=arguments.webhook_url,
            webhook_secret=secrets.partition(",")[0].strip(),
            environment=os.environ.get("LIFEVAULT_ENVIRONMENT", "development"),
            other_keys=[os.environ.get(name, "") for name in KEY_NAMES],
        )
    except SimulatorRefused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
