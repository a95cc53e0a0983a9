"""Which headers go through the gateway, in both directions."""

from collections.abc import Iterable, Sequence
from typing import Final

Headers = list[tuple[bytes, bytes]]

# RFC 9110 §7.6.1, and the older ones of RFC 2616 §13.5.1
HOP_BY_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
# What says who asks, and by what way: never believed from outside, and told anew.
ABOUT_THE_CALLER: Final = frozenset(
    {
        b"host",
        b"forwarded",
        b"x-real-ip",
        b"x-request-id",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-http-method-override",
    }
)
FORGEABLE: Final = (b"x-forwarded-", b"x-lifevault-", b"x-rapidapi-", b"sec-websocket-")
CREDENTIALS: Final = frozenset({b"authorization", b"cookie"})
# What we say ourselves about every answer, or what nobody outside needs to know.
NOT_RETURNED: Final = frozenset(
    {
        *(b"server", b"x-powered-by", b"date", b"x-request-id", b"ratelimit", b"ratelimit-policy", b"via", b"alt-svc"),
        *(b"x-content-type-options", b"referrer-policy", b"x-frame-options", b"cross-origin-resource-policy"),
        *(b"strict-transport-security", b"public-key-pins", b"clear-site-data"),
    }
)


def _named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Headers that are for the next hop only, as `Connection` says."""
    values = b",".join(value for name, value in headers if name.lower() == b"connection")
    return {each.strip().lower() for each in values.split(b",")} - {b""}


def for_service(headers: Sequence[tuple[bytes, bytes]], *, credentials: bool, identity_header: bytes) -> Headers:
    """What of a client's headers a service may see."""
    dropped = HOP_BY_HOP | ABOUT_THE_CALLER | _named_by_connection(headers) | {identity_header.lower()}
    if not credentials:
        dropped |= CREDENTIALS
    else:
        dropped -= CREDENTIALS
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith(FORGEABLE)
    ]


def for_client(headers: Sequence[tuple[bytes, bytes]], *, cookies: bool) -> Headers:
    """What of a service's headers the client may see; cookies only if the client's own went there."""
    dropped = HOP_BY_HOP | NOT_RETURNED | _named_by_connection(headers)
    if not cookies:
        dropped |= {b"set-cookie", b"www-authenticate"}
    return [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith(b"access-control-")
    ]


def moved_location(location: bytes, base: str, service_prefix: str, prefix: str) -> bytes | None:
    """Where a redirect leads for a client: below the prefix what is below the service's, None for its other places."""
    text = location.decode("latin-1")
    origin = "/".join(base.split("/", 3)[:3])
    if text == origin or text.startswith(f"{origin}/"):
        path = text.removeprefix(origin)
    elif text.startswith("/") and not text.startswith("//"):
        path = text
    else:
        return location
    inside = base.removeprefix(origin) + service_prefix
    if path == inside or path.startswith((f"{inside}/", f"{inside}?")):
        return (prefix + path.removeprefix(inside)).encode("latin-1")
    return None


def value_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a header."""
    return next((value for each, value in headers if each.lower() == name), None)
