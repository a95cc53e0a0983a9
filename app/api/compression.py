"""Big answers, compressed with gzip for those who accept it, where their length tells nobody anything.

An answer in which a secret stands beside words of somebody else's must not be compressed: who chooses the words and
sees how long the answer is can find the secret out (BREACH, CVE-2013-3587). A member of one vault chooses words in an
answer about all vaults of another person. Compressed are only: what is the same for everybody, ids without contents,
and answers about one vault, where whoever can write can read all of it anyway. Streams are never.
"""

import asyncio
import gzip
import re
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.config import Settings
from app.core.config_units import KIB

LEVEL: Final = 6
IN_THREAD_BYTES: Final = 64 * KIB
VARY: Final = "Accept-Encoding"
FOR_EVERYBODY: Final = re.compile(r"/openapi\.json|/docs/files/[^/]+")
OF_VAULT: Final = re.compile(r"/v1/vault/(items|documents|types|changes)|/v1/reminders")
CHANGES: Final = "/v1/vault/changes"


class Compress:
    """ASGI middleware, see the module's title."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._least_bytes = settings.compress_least_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._least_bytes or not _is_compressible(scope):
            await self.app(scope, receive, send)
            return
        answer = Answer(send, self._least_bytes, is_accepted=accepts_gzip(dict(scope["headers"])))
        await self.app(scope, receive, answer.send)


@dataclass
class Answer:
    """An answer on its way: its head waits for the body."""

    to: Send
    least_bytes: int
    is_accepted: bool
    head: Message | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.head = message
            return
        if self.head is not None:
            await self._send_head(message)
        await self.to(message)

    async def _send_head(self, message: Message) -> None:
        assert self.head is not None  # noqa: S101
        head, self.head = self.head, None
        headers = MutableHeaders(raw=list(head.get("headers", [])))
        headers.add_vary_header(VARY)
        body: bytes = message.get("body", b"")
        is_whole = head["status"] == 200 and not message.get("more_body", False)
        if self.is_accepted and is_whole and len(body) >= self.least_bytes and "content-encoding" not in headers:
            message["body"] = await _compressed(body)
            headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(message["body"]))
            if tag := headers.get("etag"):
                headers["ETag"] = tag if tag.startswith("W/") else f"W/{tag}"  # not the same bytes (RFC 9110 §8.8.3.3)
        await self.to({**head, "headers": headers.raw})


async def _compressed(body: bytes) -> bytes:
    if len(body) < IN_THREAD_BYTES:
        return gzip.compress(body, LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)


def _is_compressible(scope: Scope) -> bool:
    path: str = scope["path"]
    if scope["method"] != "GET":
        return False
    if OF_VAULT.fullmatch(path):
        names = {part.partition(b"=")[0] for part in scope["query_string"].split(b"&")}
        return b"vault_id" in names or (path == CHANGES and b"content" not in names)
    return FOR_EVERYBODY.fullmatch(path) is not None


def accepts_gzip(headers: dict[bytes, bytes]) -> bool:
    """Whether a client takes gzip (RFC 9110 §12.5.3)."""
    wanted = dict[str, bool]()
    for part in headers.get(b"accept-encoding", b"").decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=")
        wanted[name.strip()] = quality.strip("0.") != "" or not quality
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", False)))
