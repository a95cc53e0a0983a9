"""What sign-in keeps open in this process: made once for each runtime, when it is first needed."""

from collections.abc import Callable
from typing import TypeVar

from app.core.security import AccessTokens
from app.core.throttle import Throttle
from app.db.runtime import Runtime, current

T = TypeVar("T")


def per_runtime(make: Callable[[Runtime], T]) -> Callable[[], T]:
    """A function that returns the same thing for as long as the runtime stays the same."""
    made: list[tuple[Runtime, T]] = []

    def get() -> T:
        runtime = current()
        if not made or made[0][0] is not runtime:
            made[:] = [(runtime, make(runtime))]
        return made[0][1]

    return get


@per_runtime
def access_tokens(runtime: Runtime) -> AccessTokens:
    """Signs and verifies by the keys of the settings."""
    settings = runtime.settings
    return AccessTokens(
        settings.token_key_ring, settings.token_issuer, settings.token_audience, settings.access_token_seconds
    )


@per_runtime
def throttle(runtime: Runtime) -> Throttle:
    """Counts attempts."""
    return Throttle(runtime.redis, runtime.settings.redis_timeout_seconds, runtime.redis_breaker)
