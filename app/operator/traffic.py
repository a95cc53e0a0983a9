"""What the servers measured of the requests they answered, as totals since they started.

The page keeps what it saw and shows the differences, so nothing is summed up here over time.
"""

import os
import time
from collections import defaultdict
from typing import Any, Final

from app.api.observe import SECONDS
from app.core.clock import new_id
from app.core.metrics import FOLDER, counted
from app.operator.schemas import CacheTotals, RouteTotals, Traffic

MOST_ROUTES: Final = 80
OWN: Final = "/operator"
CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
SLOWER: Final = len(SECONDS)

_started_at: Final = time.time()
_process: Final = str(new_id())


class Measured:
    """Everything that was counted, at one moment."""

    def __init__(self) -> None:
        self._families = {family.name: family for family in counted().collect()}

    def traffic(self) -> Traffic:
        """Totals by route, those with most requests first, and of all routes; without this page's own."""
        routes = self._routes()
        return Traffic(
            process="all" if os.environ.get(FOLDER) else _process,
            started_at=_started_at,
            bounds=list(SECONDS),
            every=RouteTotals(
                method="",
                route="",
                buckets=_sum([route.buckets for route in routes], SLOWER + 1),
                answers=_sum([route.answers for route in routes], len(CLASSES)),
            ),
            routes=sorted(routes, key=lambda route: -sum(route.buckets))[:MOST_ROUTES],
            in_flight=max(0, sum(int(each.value) for each in self._samples("http_requests_in_flight")) - 1),
        )

    def _routes(self) -> list[RouteTotals]:
        buckets: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (SLOWER + 1))
        answers: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(CLASSES))
        for sample in self._samples("http_request_duration_seconds", "_bucket"):
            buckets[_route(sample.labels)][_place(sample.labels["le"])] += int(sample.value)
        for sample in self._samples("http_requests", "_total"):
            place = int(sample.labels["status"]) // 100 - 2
            if 0 <= place < len(CLASSES):
                answers[_route(sample.labels)][place] += int(sample.value)
        return [
            RouteTotals(method=key[0], route=key[1], buckets=_apart(counts), answers=answers[key])
            for key, counts in buckets.items()
            if not f"{key[1]}/".startswith(f"{OWN}/")
        ]

    def caches(self) -> list[CacheTotals]:
        """Look-ups in caches by what came of them."""
        totals: dict[str, dict[str, int]] = defaultdict(dict)
        for sample in self._samples("cache_requests", "_total"):
            totals[sample.labels["cache"]][sample.labels["outcome"]] = int(sample.value)
        return [CacheTotals(name=name, outcomes=outcomes) for name, outcomes in sorted(totals.items())]

    def model_calls(self) -> dict[str, int]:
        """Answers asked of the language model, by what came of them."""
        return {each.labels["outcome"]: int(each.value) for each in self._samples("model_calls", "_total")}

    def breakers(self) -> dict[str, bool]:
        """Each service that there is a breaker for, and whether its calls are let through."""
        return {each.labels["service"]: not each.value for each in self._samples("breaker_open")}

    def connections(self) -> int:
        """Connections to the database that all processes hold open."""
        return sum(int(sample.value) for sample in self._samples("database_connections"))

    def _samples(self, name: str, suffix: str = "") -> list[Any]:
        family = self._families.get(f"lifevault_{name}")
        return [sample for sample in family.samples if sample.name.endswith(suffix)] if family else []


def _route(labels: dict[str, str]) -> tuple[str, str]:
    return labels["method"], labels["route"]


def _place(bound: str) -> int:
    return SLOWER if bound == "+Inf" else SECONDS.index(float(bound))


def _apart(running: list[int]) -> list[int]:
    """Counts of each bucket, of counts up to each."""
    return [high - low for low, high in zip([0, *running], running, strict=False)]


def _sum(rows: list[list[int]], width: int) -> list[int]:
    return [sum(row[place] for row in rows) for place in range(width)]
