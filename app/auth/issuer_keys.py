"""The keys of foreign issuers, remembered by this process: fetched again when they are old or one is not among them."""

import asyncio
import time
from typing import Final

from app.auth.gateway import IssuerUnavailable, fetch_jwks
from app.auth.parts import per_runtime
from app.core.foreign_tokens import Key, usable_keys
from app.core.issuers import ForeignIssuer
from app.core.logging import get_log
from app.db.runtime import Runtime, current

FRESH_SECONDS: Final = 600
USABLE_SECONDS: Final = 3_600  # while the issuer does not answer

log = get_log(__name__)


class IssuerKeys:
    """The keys of one issuer. Unknown ids make it ask again, but not more often than the settings allow."""

    def __init__(self, issuer: ForeignIssuer) -> None:
        self._issuer = issuer
        self._keys: dict[tuple[str, str], Key] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, key_id: str, algorithm: str) -> Key | None:
        """A key by its id, for one algorithm; None if the issuer has none such. Raises `IssuerUnavailable`."""
        wanted = key_id, algorithm
        if self._age() > FRESH_SECONDS or wanted not in self._keys:
            async with self._lock:
                if self._age() > FRESH_SECONDS or wanted not in self._keys:
                    await self._refresh()
        return self._keys.get(wanted)

    def _age(self) -> float:
        return time.monotonic() - self._fetched_at

    async def _refresh(self) -> None:
        if time.monotonic() - self._tried_at < current().settings.issuer_pause_seconds:
            if self._age() > USABLE_SECONDS:
                raise IssuerUnavailable
            return
        self._tried_at = time.monotonic()
        try:
            self._keys = usable_keys(await fetch_jwks(self._issuer.jwks_url), self._issuer.algorithms)
            self._fetched_at = time.monotonic()
        except IssuerUnavailable:
            log.warning("keys of an issuer not fetched")
            if self._age() > USABLE_SECONDS:
                raise


@per_runtime
def issuers(runtime: Runtime) -> dict[str, tuple[ForeignIssuer, IssuerKeys]]:
    """Every configured issuer, with its keys."""
    return {each.issuer: (each, IssuerKeys(each)) for each in runtime.settings.foreign_issuers}
