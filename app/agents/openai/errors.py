"""Errors of this face, and the form in which its clients expect every error."""

from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Unavailable, Unprocessable

PREFIX = "/openai/"
PROBLEM = b"application/problem+json"
KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class NoQuestion(Unprocessable):
    """There is no text of the user, or too much of it."""

    title = "The last message must be a question of the user, of at most 2000 characters"


class EmbedderMissing(Unavailable):
    """No embedder is installed or configured, or it does not answer."""

    title = "There is no embedder at the moment"


def error_body(problem: dict[str, Any]) -> bytes:
    """A problem in OpenAI's form."""
    status, fields = problem["status"], problem.get("errors") or []
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    place = [str(part) for part in fields[0]["loc"] if part != "body"] if fields else []
    text = problem.get("detail") or problem["title"]
    message = f"{text}: {fields[0]['msg']}" if fields else text
    param = ".".join(place) or None
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": problem["code"]}})


class OpenAIErrors:
    """ASGI middleware that shows the problems of this face in OpenAI's form; what is not valid is 400 there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, _Rewriting(send))


class _Rewriting:
    """Holds a problem back until its body is whole; lets everything else pass."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and (b"content-type", PROBLEM) in message["headers"]:
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = error_body(orjson.loads(self._body))
        own = {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}
        headers = [(name, own.get(name.lower(), value)) for name, value in start["headers"]]
        status = 400 if start["status"] == 422 else start["status"]
        await self._send({**start, "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
