"""A model behind a real HTTP server that says what it is told to, in OpenAI's protocol."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.serving import SHUTDOWN_SECONDS


@dataclass(frozen=True)
class Says:
    """One answer: a text, calls of tools, or whatever else can come of a request."""

    text: str | None = None
    calls: tuple[tuple[str, Any], ...] = ()
    status: int = 200
    raw: bytes | None = None
    cut: bool = False
    delay: float = 0.0


def asks(tool: str, arguments: Any) -> Says:
    """A call of a tool; `arguments` that are text are sent as they are."""
    return Says(calls=((tool, arguments),))


Script = Callable[[dict[str, Any]], Says]


class Model:
    """`says` sets what is answered, in order, the last for ever; `script` decides by the request instead."""

    def __init__(self) -> None:
        self.url, self.key = "", "secret-key"
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Says] = [Says("Nothing.")]
        self.script: Script | None = None

    def says(self, *answers: Says | str) -> None:
        self.answers = [Says(each) if isinstance(each, str) else each for each in answers]

    @property
    def prompt(self) -> str:
        """All that was sent with the last request."""
        return orjson.dumps(self.requests[-1]["messages"]).decode()

    async def chat(self, request: Request) -> Response:
        body = orjson.loads(await request.body())
        self.requests.append(body)
        answer = self.script(body) if self.script else self.answers[0]
        if not self.script and len(self.answers) > 1:
            self.answers.pop(0)
        await asyncio.sleep(answer.delay)
        if answer.status != 200:
            return JSONResponse({"error": {"message": "no"}}, answer.status)
        whole = answer.raw if answer.raw is not None else orjson.dumps(_completion(answer, len(self.requests)))
        if answer.cut:
            return StreamingResponse(_cut(whole), media_type="application/json")
        return Response(whole, media_type="application/json")


async def _cut(whole: bytes) -> Any:
    yield whole[: len(whole) // 2]
    raise ConnectionResetError


def _completion(answer: Says, number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{index}",
                "type": "function",
                "function": {
                    "name": tool,
                    "arguments": arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode(),
                },
            }
            for index, (tool, arguments) in enumerate(answer.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if answer.calls else "stop"}
    usage = {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1_700_000_000, "model": "scripted"}
    return {**head, "choices": [choice], "usage": usage}


@contextmanager
def serve() -> Iterator[Model]:
    """The model on a free port, in a thread."""
    model = Model()
    app = Starlette(routes=[Route("/v1/chat/completions", model.chat, methods=["POST"])])
    config = uvicorn.Config(
        app, port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=SHUTDOWN_SECONDS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    model.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield model
    finally:
        server.should_exit = True
        thread.join(10)
