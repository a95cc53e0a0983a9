"""A push service as browsers have one: takes messages over HTTP, shows what it was given, and answers as it is told."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import playwright

from app.notifications.push.vapid import unpadded
from tests.serving import in_thread

BUNDLED = Path(playwright.__file__).parent / "driver" / "node"
NODE = str(BUNDLED) if BUNDLED.exists() else shutil.which("node")
SCRIPT = str(Path(__file__).with_name("browser.mjs"))


@dataclass
class Delivery:
    """A message that the service was given."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """What came in, and what it answers with."""

    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"
    status: int = 201
    answer_headers: dict[str, str] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)

    def endpoint(self, name: str) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/push/{name}"

    def to(self, name: str) -> list[Delivery]:
        return [each for each in self.deliveries if each.path == f"/push/{name}"]


@contextmanager
def push_service(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[PushService]:
    """A service on a free port; with a context over TLS."""
    service = PushService(scheme="https" if context else "http", host=host)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.deliveries.append(Delivery(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(service.status)
            for name, value in service.answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    service.port = server.server_address[1]
    thread = in_thread(server)
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Browser:
    """The keys of a browser, which it made itself."""

    keys: dict[str, Any]

    @property
    def public(self) -> dict[str, str]:
        """What it gives to whoever may send to it."""
        return {"p256dh": self.keys["p256dh"], "auth": self.keys["auth"]}

    def read(self, message: bytes) -> dict[str, Any]:
        """What it makes of a message."""
        return json.loads(run_node("open", json.dumps({"keys": self.keys, "message": unpadded(message)})))


def new_browser() -> Browser:
    return Browser(json.loads(run_node("new")))


def run_node(what: str, given: str = "") -> str:
    assert NODE, "these tests need Node.js"
    done = subprocess.run([NODE, SCRIPT, what], input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
