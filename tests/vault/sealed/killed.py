"""A process that exchanges all keys of an account and is killed in the middle: server and client die together.

    python -m tests.vault.sealed.killed < one line of JSON for each attempt

It imports everything once and forks for each attempt; the child is killed by its own hand (SIGKILL) once the database
has answered so many statements, within transactions or between them.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event

from app.core.config import Settings, load_settings
from app.db.runtime import open_runtime
from app.main import create_app
from app.sealed.client import SealedClient
from app.sealed.http import HttpTransport
from app.sealed.pins import Pins


async def attempt(settings: Settings, told: dict[str, Any]) -> None:
    runtime = open_runtime(settings)
    loop, left = asyncio.get_running_loop(), told["statements"]
    counting = False

    def count(*_: object) -> None:
        nonlocal left
        left -= counting
        if counting and left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(runtime.engine.sync_engine, "connect")
    def watch(connection: Any, _: object) -> None:
        connection.driver_connection.add_query_logger(count)

    event.listen(runtime.engine.sync_engine, "after_cursor_execute", count)

    transport = httpx.ASGITransport(create_app(settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:

        def send(method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
            headers = {"Authorization": f"Bearer {told['token']}", "Content-Type": content_type}
            asked = client.request(method, path, content=body, headers=headers)
            response = asyncio.run_coroutine_threadsafe(asked, loop).result(60)
            return response.status_code, response.content

        pins = Pins.from_bytes(bytes.fromhex(told["pins"]))
        arguments = HttpTransport(send), UUID(told["account"]), told["password"], pins
        opened = await asyncio.to_thread(SealedClient.unlock, *arguments)
        counting = True
        await asyncio.to_thread(opened.rotate_keys, told["new_password"])


def main() -> None:
    settings = load_settings(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            asyncio.run(attempt(settings, json.loads(line)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
