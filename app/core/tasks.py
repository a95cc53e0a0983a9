"""The register of background work; `app.worker` alone knows how it is carried."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

QUEUE: Final = "lifevault"
"""The list in Redis that Celery's messages wait in."""

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class Task:
    """A function that runs periodically (`every`), after an event (`on`), or as a job (neither)."""

    name: str
    function: Callable[..., Awaitable[Any]]
    every: timedelta | None
    on: str | None


TASKS: dict[str, Task] = {}


def task(name: str, *, every: timedelta | None = None, on: str | None = None) -> Callable[[Function], Function]:
    """Register an async function that may run twice and in parallel.

    `every`: called without arguments by the schedule. `on`: called with the ids of the event as keywords.
    Neither: called with a `JobRun` for each job of the kind `name`.
    """

    def register(function: Function) -> Function:
        TASKS[name] = Task(name, function, every, on)
        return function

    return register


def listeners(event: str) -> list[Task]:
    """The tasks that follow an event."""
    return [each for each in TASKS.values() if each.on == event]
