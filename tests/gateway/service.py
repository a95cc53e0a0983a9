"""An older service, as a process of its own: `python service.py NAME PORT`."""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

PART = 65_536


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    name = ""
    state: ClassVar[dict[str, int]] = {"uploaded": 0, "gone": 0, "asked": 0}
    release = threading.Event()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        self.state["asked"] += 1
        path = self.path.partition("?")[0].removeprefix("/base")
        if path.startswith("/status/"):
            self.answer(int(path.split("/")[2]), {})
        elif found := getattr(self, "at_" + path.strip("/").replace("-", "_"), None):
            found()
        else:
            self.answer(200, {"name": "Ada", "service": self.name, "count": 1, "path": self.path})

    def do_POST(self) -> None:
        digest, length = hashlib.sha256(), 0
        for part in self.parts():
            digest.update(part)
            length += len(part)
            self.state["uploaded"] += len(part)
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        told = {"method": self.command, "path": self.path, "headers": headers, "length": length}
        self.answer(200, {**told, "digest": digest.hexdigest(), "service": self.name})

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def parts(self) -> Iterator[bytes]:
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers.get("content-length", 0))
        while left:
            part = self.rfile.read1(min(left, PART))
            left -= len(part)
            yield part

    def answer(self, status: int, body: Any, **headers: str) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def at_echo(self) -> None:
        self.do_POST()

    def at_state(self) -> None:
        self.answer(200, self.state)

    def at_release(self) -> None:
        self.release.set()
        self.answer(200, {})

    def at_events(self) -> None:
        self.release.clear()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"data: first\n\n")
        while not self.release.wait(0.05):
            try:
                self.chunk(b": still here\n\n")
            except OSError:
                self.state["gone"] += 1
                raise
        self.chunk(b"data: last\n\n")
        self.chunk(b"")

    def chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()

    def at_silent(self) -> None:
        time.sleep(3_600)

    def at_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def at_redirect(self) -> None:
        host = self.headers["host"]
        self.answer(302, {}, Location=f"http://{host}/base/json?a=1", Set_Cookie="old=1", Server_Timing="db")

    def at_away(self) -> None:
        self.answer(302, {}, Location=f"http://{self.headers['host']}/admin")

    def at_headers(self) -> None:
        self.answer(
            200,
            {},
            Connection="X-Secret",
            X_Secret="1",
            Access_Control_Allow_Origin="*",
            X_Powered_By="old",
            ETag='"1"',
        )

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


if __name__ == "__main__":
    Handler.name = sys.argv[1]
    Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
