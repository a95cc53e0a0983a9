"""Requests to places that strangers name: https only, to public addresses only, without following anybody elsewhere."""

import asyncio
import socket
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

    import httpx

NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
PORTS: Final = {"https": 443, "http": 80}


class AddressRefused(Exception):
    """The place is not in the public internet, or not to be reached by https."""


class NotReached(Exception):
    """The place can't be reached now."""


def is_public(address: str) -> bool:
    """Whether an address is in the public internet, and not one that leads to another which is not."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = _inner(ip)
        if inner is not None:
            ip = inner
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end at."""
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


async def resolve(url: str, *, private: bool = False) -> str:
    """An address to connect to; asked once, so that it can't be another one later. `private` allows all, and http.

    Raises `AddressRefused`, `NotReached`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise AddressRefused from None
    if not parts.hostname or parts.username is not None or parts.scheme not in (PORTS if private else ("https",)):
        raise AddressRefused
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotReached from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not (private or all(map(is_public, addresses))):
        raise AddressRefused
    return addresses[0]


async def post(
    url: str, content: bytes, headers: dict[str, str], *, seconds: float, private: bool = False
) -> "httpx.Response":
    """The answer, without its body, to a POST; redirects and proxies are not followed.

    Raises `AddressRefused`, `NotReached`.
    """
    import httpx  # noqa: PLC0415  heavy, and not needed to start

    try:
        async with asyncio.timeout(seconds):
            address = await resolve(url, private=private)
            place = _url(url)
            async with (
                httpx.AsyncClient(timeout=seconds, trust_env=False, verify=tls()) as client,
                client.stream(
                    "POST",
                    place.copy_with(host=address),
                    content=content,
                    headers={**headers, "Host": place.netloc.decode()},
                    extensions={"sni_hostname": place.host},  # the certificate must be the host's
                ) as response,
            ):
                return response
    except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
        raise NotReached from error


def _url(url: str) -> "httpx.URL":
    import httpx  # noqa: PLC0415

    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        raise AddressRefused from None


@cache
def tls() -> "ssl.SSLContext":
    """Trusts whom httpx trusts, or SSL_CERT_FILE; it takes a while to make."""
    import httpx  # noqa: PLC0415

    return httpx.create_ssl_context()
