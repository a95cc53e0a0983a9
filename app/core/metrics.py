"""What /metrics shows: of one process, or of all processes that share a folder (`PROMETHEUS_MULTIPROC_DIR`).

Where several processes work, prometheus_client keeps their numbers in files of that folder, and each of them can show
the sum. What stands in the database or in Redis is asked for when somebody looks.
"""

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
LIVE_FILE: Final = re.compile(r"gauge_live[a-z]*_(\d+)\.db")

Asked = Callable[[], Awaitable[Iterable[Metric]]]

cache_requests: Final = Counter(
    "lifevault_cache_requests_total",
    "Look-ups in a cache of this process or in Redis, by what came of them.",
    ["cache", "outcome"],
)
_asked: Final[list[Asked]] = []


def asked_for(ask: Asked) -> Asked:
    """Register what is only found out when somebody looks."""
    _asked.append(ask)
    return ask


class _Found(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


async def exposition() -> bytes:
    """Everything in the text format of Prometheus; what can't be asked for just now is left out."""
    found: list[Metric] = []
    for ask in _asked:
        try:
            found += await ask()
        except Exception:  # noqa: S112  whatever is away, the rest is shown
            continue
    extra = CollectorRegistry()
    extra.register(_Found(found))
    return generate_latest(_counted()) + generate_latest(extra)


def _counted() -> CollectorRegistry:
    folder = os.environ.get(FOLDER)
    if not folder:
        return REGISTRY
    for pid in _dead(Path(folder)):
        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


def _dead(folder: Path) -> set[int]:
    """Processes that were killed while they held a gauge."""
    pids = {int(found[1]) for file in folder.iterdir() if (found := LIVE_FILE.fullmatch(file.name))}
    return {pid for pid in pids if not _lives(pid)}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
