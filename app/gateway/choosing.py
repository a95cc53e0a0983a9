"""Which route a request has, and who answers it: the service, or this application."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from app.auth.principal import Principal
from app.core.features import Feature, is_on, is_within
from app.core.routing import SAFE_METHODS, Route
from app.gateway.errors import PathRefused

Side = Literal["service", "local"]
REFUSED_BYTES: Final = frozenset(range(32)) | {127}


@dataclass(frozen=True, slots=True)
class Target:
    """A path as it is asked for at one side: percent-encoded, and with its query."""

    path: bytes
    query: bytes

    @property
    def raw(self) -> bytes:
        """As in a request line."""
        return self.path + (b"?" + self.query if self.query else b"")


def find(routes: Sequence[Route], method: str, path: str) -> Route | None:
    """The route of a request, if it is one for the gateway."""
    return next((route for route in routes if route.fits(method, path)), None)


def side_of(route: Route, features: Mapping[str, Feature], principal: Principal | None, address: str) -> Side:
    """Who answers: the same for somebody each time, until the table changes."""
    if route.flag and is_on(features, route.flag, principal.user_id if principal else None):
        return "local"
    who = str(principal.user_id) if principal else address
    return "local" if is_within(route.local_percent, route.prefix, who) else "service"


def depends_on_caller(route: Route) -> bool:
    """Whether it matters to the choice who asks."""
    return bool(route.flag) or route.local_percent > 0


def is_shadowed(route: Route, method: str, request_id: str) -> bool:
    """Whether the other side gets a copy of a request."""
    return method in SAFE_METHODS and is_within(route.shadow_percent, route.prefix, request_id)


def moved(raw_path: bytes, old: str, new: str | None) -> bytes:
    """A path with another prefix, otherwise as it was sent. Raises `PathRefused`.

    What would be another path elsewhere is refused: segments . and .., plain or encoded once, and control characters.
    """
    decoded = unquote_to_bytes(raw_path)
    segments = decoded.replace(b"\\", b"/").split(b"/")
    if {b".", b".."} & set(segments) or REFUSED_BYTES & set(decoded) or b"#" in raw_path:
        raise PathRefused
    if new is None:
        return raw_path
    prefix = old.encode("ascii")
    if not raw_path.startswith(prefix):  # a spelling that only we take for the prefix
        raise PathRefused
    return (new.encode("ascii") + raw_path.removeprefix(prefix)) or b"/"
