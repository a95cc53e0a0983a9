"""AWS Lambda: `app.lambda_handler.handler` answers events of API Gateway (v1, v2), function URLs and load balancers.

The runtime is opened once, when the function's process starts: Mangum's own lifespan would do so on each event.
A schedule of EventBridge (`rate(1 minute)`) takes the place of the worker: each of its events does what is due.
"""

from app.core.start import without_collection

with without_collection():
    import asyncio
    from datetime import datetime
    from functools import cache
    from importlib import import_module
    from typing import Any, Final

    from mangum import Mangum

    from app.core.logging import configure_logging
    from app.db.runtime import open_runtime
    from app.jobs.sweep import Sweeper
    from app.main import app

TEXT_TYPES = ["text/", "application/json", "application/problem+json"]
WORK: Final = ("app.models", "app.tasks", "app.ties")
SCHEDULES: Final = ("aws.events", "aws.scheduler")  # `source` of the events of rules and of EventBridge Scheduler
KEPT_MILLISECONDS: Final = 20_000  # left of a call, no other job is begun

configure_logging(debug=app.state.settings.debug)
open_runtime(app.state.settings)
_http = Mangum(app, lifespan="off", text_mime_types=TEXT_TYPES)
_sweeper = Sweeper()


def handler(event: dict[str, Any], context: Any) -> Any:
    """The answer to one event: a response for the gateway, or what a sweep did."""
    if event.get("source") not in SCHEDULES:
        return _http(event, context)
    _import_work()
    now = datetime.fromisoformat(event["time"])
    work = _sweeper.sweep(now, lambda: context.get_remaining_time_in_millis() > KEPT_MILLISECONDS)
    return asyncio.get_event_loop().run_until_complete(work).as_json()


@cache
def _import_work() -> None:
    """Everything that the schedule may do; requests need their rooms only."""
    with without_collection():
        for name in WORK:
            import_module(name)
