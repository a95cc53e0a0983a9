"""The table of the gateway: services that are being replaced, and which requests still go to them.

It is a file, read again when it has changed, or a setting.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.core.config_units import KIB, MIB
from app.core.features import Feature
from app.core.logging import get_log

OWN_PREFIX: Final = "/v1/gateway/"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1, without TRACE
STAT_SECONDS: Final = 1.0
NAME: Final = r"^[a-z][a-z0-9-]{0,39}$"
PATH: Final = r"^/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*$"

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]

log = get_log(__name__)


class TableError(Exception):
    """The table can't be read; `problems` lists every reason, without values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Service(BaseModel):
    """An upstream: where it is, what it is told about who asks, and how long it is waited for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="Base URL; nothing that a client sends leads to another place.")
    identity: Literal["signed", "credentials", "none"] = Field(
        default="signed", description="Our signed header, the person's own credentials as they came, or nothing."
    )
    identity_header: str = Field(
        default="X-LifeVault-Identity",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="Header of the signed token; Authorization takes it as a Bearer token.",
    )
    identity_seconds: int = Field(default=60, ge=5, le=900, description="Life of the signed token.")
    connect_seconds: float = Field(default=3, gt=0, description="Longest wait for a connection.")
    silence_seconds: float = Field(
        default=30, gt=0, description="Longest wait for the head of an answer, and for each part of it."
    )
    retries: int = Field(default=1, ge=0, le=5, description="Further tries of safe methods that got no answer.")
    failures: int = Field(default=3, ge=1, description="Failures in a row after which it is left alone for a while.")
    pause_seconds: float = Field(default=15, gt=0, description="How long it is left alone.")
    max_body_bytes: int = Field(default=256 * MIB, ge=KIB, description="Largest body that is passed on.")
    max_message_bytes: int = Field(default=MIB, ge=KIB, description="Largest message of a WebSocket.")
    connections: int = Field(default=100, ge=1, description="Connections that each process keeps to it at most.")
    health_path: str = Field(default="/", pattern=PATH, description="What `lifevault gateway smoke` asks for.")

    @field_validator("url")
    @classmethod
    def _base(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("must be like https://host/path")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("must have no name, password, query or fragment")
        return url.rstrip("/")


class Route(BaseModel):
    """Requests below `prefix`: to a service, except for those that are answered here already."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = Field(pattern=PATH, description="Path of ours, to be followed by / or the end of the path.")
    methods: frozenset[Method] = Field(default=frozenset(), description="All if empty.")
    service: str = Field(pattern=NAME, description="Name of a service.")
    service_prefix: str | None = Field(default=None, pattern=PATH, description="In the prefix's place there.")
    local_prefix: str | None = Field(default=None, pattern=PATH, description="In the prefix's place here.")
    local_percent: float = Field(default=0, ge=0, le=100, description="Share of people that are answered here.")
    flag: str = Field(default="", description="Feature whose people are answered here.")
    shadow_percent: float = Field(
        default=0, ge=0, le=100, description="Share of safe requests that the other side gets a copy of."
    )
    anonymous: bool = Field(default=False, description="Whether requests without a valid sign-in are passed on.")
    scopes: frozenset[str] = Field(
        default=frozenset(), description="Scopes that are enough; all there are, if empty, as the service knows none."
    )
    smoke_path: str = Field(default="", description="Path of ours that `lifevault gateway smoke` asks for.")

    @field_validator("prefix", "service_prefix", "local_prefix")
    @classmethod
    def _without_end(cls, prefix: str | None) -> str | None:
        return None if prefix is None else prefix.rstrip("/")

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is one of these."""
        below = path == self.prefix or path.startswith(f"{self.prefix}/")
        return below and (not self.methods or method in self.methods)


class RoutingTable(BaseModel):
    """Every service and route. Below /v1/gateway/NAME each service is reached without a route of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    services: Mapping[str, Service] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    features: Mapping[str, Feature] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = {route.service for route in self.routes}
        if unknown := sorted(names - self.services.keys()):
            raise ValueError(f"routes name services that there are not: {', '.join(unknown)}")
        return self

    @property
    def signed_services(self) -> set[str]:
        """Those that are told by a signature who asks."""
        return {name for name, service in self.services.items() if service.identity == "signed"}

    @property
    def all_routes(self) -> list[Route]:
        """The routes, the longest prefix and the fewest methods first, with those that every service has."""
        own = [
            Route(prefix=f"{OWN_PREFIX}{name}", service=name, service_prefix="/", local_prefix=None)
            for name in self.services
        ]
        known = [*self.routes, *own]
        return sorted(known, key=lambda route: (-len(route.prefix), not route.methods, len(route.methods)))


def read_table(text: str | bytes) -> RoutingTable:
    """A table from JSON. Raises `TableError`."""
    try:
        return RoutingTable.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise TableError([f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in found]) from None


class TableFile:
    """A table in a file: read again when the file has changed, so that every process follows without a restart.

    A file that can't be read, or is wrong, changes nothing: what was read last counts, and the log says why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._mark()
        self._next_look = time.monotonic() + STAT_SECONDS
        self._table = self._read()

    @property
    def table(self) -> RoutingTable:
        """The table as the file has it; looked at once a second."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + STAT_SECONDS
            mark = self._mark()
            if mark != self._seen:
                self._seen = mark
                self._follow()
        return self._table

    def _follow(self) -> None:
        try:
            self._table = self._read()
        except TableError as error:
            log.error("routing table not read", problems=len(error.problems))
        else:
            log.info("routing table read", services=len(self._table.services), routes=len(self._table.routes))

    def _read(self) -> RoutingTable:
        try:
            return read_table(self._path.read_bytes())
        except OSError as error:
            raise TableError([f"the file can't be read: {error.strerror}"]) from None

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            state = os.stat(self._path)
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino
