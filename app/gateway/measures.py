"""What the gateway counts: by names of the table only."""

from typing import Final

from prometheus_client import Counter, Histogram

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

requests: Final = Counter(
    "lifevault_gateway_requests_total",
    "Requests of routes of the gateway: who answered, and how.",
    ["route", "side", "outcome"],
)
head_seconds: Final = Histogram(
    "lifevault_gateway_head_seconds",
    "Time until a service's answer began.",
    ["service"],
    buckets=SECONDS,
)
comparisons: Final = Counter(
    "lifevault_gateway_comparisons_total",
    "Answers of both sides compared: same, or what differs.",
    ["route", "outcome"],
)
