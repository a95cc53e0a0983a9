"""Where somebody signs in from: a name for the device, and which addresses count as one place."""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from app.core.crypto import lookup_digest
from app.db.runtime import current

LONGEST_NAME = 60
IPV6_SITE_BITS = 64
UNKNOWN = "Unknown device"
PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Device:
    """What a request shows of its device."""

    name: str
    address: str

    @property
    def place(self) -> bytes:
        """A keyed digest that is equal for addresses of one place: an IPv4 address, or an IPv6 network of 64 bits."""
        return lookup_digest(current().settings.lookup_key_bytes, "auth_sessions.address", _place(self.address))

    @property
    def digest(self) -> bytes:
        """A keyed digest of the name."""
        return lookup_digest(current().settings.lookup_key_bytes, "auth_sessions.device", self.name)


def device(user_agent: str, address: str) -> Device:
    """The device behind a User-Agent header and an address."""
    return Device(device_name(user_agent), address)


def device_name(user_agent: str) -> str:
    """`Firefox on Windows`, or the first product of a User-Agent that is not a browser's."""
    if user_agent.startswith("Mozilla/"):
        program = _first(PROGRAMS, user_agent) or "Browser"
        system = _first(SYSTEMS, user_agent)
        return f"{program} on {system}" if system else program
    product = re.match(r"[\w.+-]+(?:/[\w.+-]+)?", user_agent, re.ASCII)
    return product[0].replace("/", " ")[:LONGEST_NAME] if product else UNKNOWN


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for mark, name in marks if mark in text), None)


def _place(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(parsed.ipv4_mapped or ip_network((parsed, IPV6_SITE_BITS), strict=False))
    return str(parsed)
