"""A little provider of models that speaks OpenAI's protocol over real HTTP and misbehaves as it is told."""

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

DIMENSIONS = 64
PIECE = 7


@dataclass
class Reply:
    """One answer: a text in small pieces, or whatever else can come of a request."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 321, "completion_tokens": 12})
    finish: str | None = "stop"
    cut: bool = False
    delay: float = 0.0
    raw: bytes | None = None
    whole: bool = False
    piece: int = PIECE


class Provider:
    """`replies` are given in order, the last one for ever; `requests` are the bodies that came."""

    def __init__(self) -> None:
        self.url = ""
        self.key = "secret-key"
        self.reset()

    def reset(self) -> None:
        self.replies: list[Reply] = [Reply("NOT_FOUND")]
        self.requests: list[dict[str, Any]] = []
        self.embedded: list[str] = []
        self.embeddings_status = 200
        self.left_early = 0

    def answers(self, *replies: Reply | str) -> None:
        self.replies = [Reply(reply) if isinstance(reply, str) else reply for reply in replies]

    @property
    def prompt(self) -> str:
        """All that was sent with the last request."""
        return "\n".join(message["content"] for message in self.requests[-1]["messages"])

    async def chat(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {self.key}"
        body = orjson.loads(await request.body())
        self.requests.append(body)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.status != 200:
            await asyncio.sleep(reply.delay)
            return JSONResponse({"error": {"message": "no"}}, reply.status, reply.headers)
        if reply.whole:
            message = {"role": "assistant", "content": reply.text}
            return JSONResponse({"choices": [{"message": message, "finish_reason": "stop"}], "usage": reply.usage})
        return StreamingResponse(self._events(reply), media_type="text/event-stream")

    async def _events(self, reply: Reply) -> AsyncIterator[bytes]:
        try:
            if reply.raw is not None:
                yield reply.raw
                return
            yield b": hello\r\n\r\n"
            yield _event({"delta": {"role": "assistant", "content": None}})
            for begin in range(0, len(reply.text), reply.piece):
                await asyncio.sleep(reply.delay)
                yield _event({"delta": {"content": reply.text[begin : begin + reply.piece]}, "finish_reason": None})
            await asyncio.sleep(reply.delay)
            if reply.cut:
                return
            yield _event({"delta": {}, "finish_reason": reply.finish})
            if reply.usage is not None:
                yield b"data: " + orjson.dumps({"choices": [], "usage": reply.usage}) + b"\n\n"
            yield b"data: [DONE]\n\n"
        except (asyncio.CancelledError, GeneratorExit):
            self.left_early += 1
            raise

    async def embeddings(self, request: Request) -> Response:
        if self.embeddings_status != 200:
            return JSONResponse({"error": {}}, self.embeddings_status)
        body = orjson.loads(await request.body())
        self.embedded += body["input"]
        data = [{"index": index, "embedding": vector(text)} for index, text in enumerate(body["input"])]
        return JSONResponse({"data": data[::-1], "model": body["model"]})


def _event(choice: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"


def vector(text: str) -> list[float]:
    """A bag of words: texts with words in common are alike."""
    values = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        values[int.from_bytes(hashlib.sha256(word.encode()).digest()[:2], "big") % DIMENSIONS] += 1.0
    return values


@contextmanager
def serve() -> Iterator[Provider]:
    """The provider on a free port, in a thread."""
    provider = Provider()
    routes = [
        Route("/v1/chat/completions", provider.chat, methods=["POST"]),
        Route("/v1/embeddings", provider.embeddings, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    provider.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(10)
