"""One payment simulator for each test process, emptied before each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import stripe

from tests.payments.simulator import Simulator, new_simulator


@pytest.fixture(scope="session")
def running_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = new_simulator(tmp_path_factory.mktemp("simulator") / "books.sqlite")
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """A simulator with empty books, no faults, the real time, and webhooks to nobody."""
    running_simulator.reset()
    return running_simulator


@pytest.fixture
async def sdk(simulator: Simulator) -> AsyncIterator[stripe.StripeClient]:
    """The official SDK pointed at the simulator; it does not try again."""
    async with simulator.sdk() as client:
        yield client


@pytest.fixture
def make_simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Simulators of one's own, to be started and killed; `make_simulator(LIFEVAULT_…="…")`."""
    made: list[Simulator] = []

    def make(**environment: str) -> Simulator:
        simulator = new_simulator(tmp_path / "books.sqlite", **environment)
        made.append(simulator)
        return simulator

    yield make
    for simulator in made:
        if simulator.process is not None and simulator.process.poll() is None:
            simulator.kill()
