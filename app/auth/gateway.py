"""The way to foreign issuers: their keys, fetched from the configured address and from nowhere else."""

from typing import Final

import orjson

from app.core.errors import Unavailable

SECONDS: Final = 5.0
MOST_BYTES: Final = 256 * 1024


class IssuerUnavailable(Unavailable):
    """The keys of a foreign issuer can't be had just now."""

    title = "The issuer of the token does not answer"


async def fetch_jwks(url: str) -> object:
    """The JSON at an address; no redirect is followed, no proxy asked. Raises `IssuerUnavailable`."""
    import httpx  # noqa: PLC0415 (takes a while to import)

    body = b""
    try:
        async with (
            httpx.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise IssuerUnavailable
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise IssuerUnavailable
        return orjson.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError):
        raise IssuerUnavailable from None
