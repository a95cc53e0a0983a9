"""Questions to the provider that change nothing: what goes wrong is said in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.payments.errors import ProviderRefused, ProviderUnreachable
from app.payments.providers.port import Missing, ProviderError, Refused

RETRY_AFTER = {"Retry-After": "5"}


@contextmanager
def reaching() -> Iterator[None]:
    """Raises `ProviderRefused` for what the provider refuses, `ProviderUnreachable` for everything else."""
    try:
        yield
    except (Refused, Missing) as error:
        raise ProviderRefused(reason=error.code) from None
    except ProviderError:
        raise ProviderUnreachable(headers=RETRY_AFTER) from None
