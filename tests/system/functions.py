"""AWS Lambda on this machine: its runtime API for the real runtime client, and the events of what stands before it."""

import base64
import json
import os
import queue
import subprocess
import sys
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx

from tests.serving import in_thread

Json = dict[str, Any]
SECONDS = 120
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:lifevault"
BALANCER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/lifevault/1"
HOST = "lifevault.test"
CLIENT = "203.0.113.7"


class RuntimeApi(ThreadingHTTPServer):
    """Knows that a function that is killed leaves its connection open."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections end when the function does."""


class Function:
    """A function that waits for events: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    def __init__(self, handler: str, environment: dict[str, str]) -> None:
        self._events: queue.Queue[Json] = queue.Queue()
        self._answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._server = RuntimeApi(("127.0.0.1", 0), self._routes())
        in_thread(self._server)
        own = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}", "_HANDLER": handler}
        command = [sys.executable, "-m", "awslambdaric", handler]
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def invoke(self, event: Json) -> Any:
        """What the handler returns for an event; fails if it raises."""
        self._events.put(event)
        kind, answer = self._answers.get(timeout=SECONDS)
        assert kind == "response", answer
        return answer

    def close(self) -> None:
        """End the process and the runtime API."""
        self.process.kill()
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()

    def _routes(self) -> type[BaseHTTPRequestHandler]:
        function = self

        class Routes(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: otherwise each answer waits for an acknowledgement
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                event = function._events.get()
                told = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": str(uuid4()),
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + SECONDS) * 1_000)),
                    "Lambda-Runtime-Invoked-Function-Arn": ARN,
                }
                self._send(200, json.dumps(event).encode(), told)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                function._answers.put((self.path.rpartition("/")[2], json.loads(body or b"null")))
                self._send(202, b"{}", {})

            def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Routes


@dataclass
class Gateway(httpx.BaseTransport):
    """Sends requests as the events of one kind: `v1`, `v2`, `url` or `balancer`."""

    function: Function
    kind: str

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.function.invoke(EVENTS[self.kind](request))
        headers = [(name, value) for name, value in (answer.get("headers") or {}).items()]
        headers += [(name, each) for name, all_ in (answer.get("multiValueHeaders") or {}).items() for each in all_]
        body = (answer.get("body") or "") if request.method != "HEAD" else ""  # gateways send none (RFC 9110 §9.3.2)
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return httpx.Response(answer["statusCode"], headers=_without_length(headers), content=content, request=request)


def _without_length(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() != "content-length"]


def _common(request: httpx.Request) -> Json:
    body = request.read()
    return {"body": base64.b64encode(body).decode() if body else None, "isBase64Encoded": bool(body)}


def _pairs(request: httpx.Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def _version_1(request: httpx.Request) -> Json:
    pairs = _pairs(request)
    context = {"stage": "$default", "identity": {"sourceIp": CLIENT}, "httpMethod": request.method}
    return _common(request) | {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": request.url.path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in pairs.items()} or None,
        "multiValueQueryStringParameters": pairs or None,
        "requestContext": context,
    }


def _version_2(request: httpx.Request, domain: str = HOST) -> Json:
    http = {"method": request.method, "path": request.url.path, "protocol": "HTTP/1.1", "sourceIp": CLIENT}
    return _common(request) | {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.url.path,
        "rawQueryString": urlsplit(str(request.url)).query,
        "headers": dict(request.headers),
        "requestContext": {"stage": "$default", "domainName": domain, "http": http},
    }


def _url(request: httpx.Request) -> Json:
    return _version_2(request, "abcdefghijklmnop.lambda-url.eu-central-1.on.aws")


def _balancer(request: httpx.Request) -> Json:
    return _common(request) | {
        "requestContext": {"elb": {"targetGroupArn": BALANCER}},
        "httpMethod": request.method,
        "path": request.url.path,
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "multiValueQueryStringParameters": {
            name: [str(httpx.QueryParams({"": value}))[1:] for value in values]
            for name, values in _pairs(request).items()
        },
    }


EVENTS = {"v1": _version_1, "v2": _version_2, "url": _url, "balancer": _balancer}
