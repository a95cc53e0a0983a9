"""What was found about one part."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`failed`: LifeVault does not work so; `warning`: it does, but something should be looked at. No secrets in it."""

    name: str
    state: State
    detail: str


Check = Callable[[], Awaitable[list[Finding]]]


async def found_by(name: str, check: Check) -> list[Finding]:
    """What a check finds; one that breaks off has found that the part does not work."""
    try:
        return await check()
    except Exception as error:  # whatever it was, the others are still to be looked at
        return [Finding(name, "failed", type(error).__name__)]
