"""Witnesses of what a run has done: every row of every table, every stored file, every connection of the process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tests.serving import in_thread

CHANGING = frozenset(
    {
        "agent_runs",
        "agent_messages",
        "agent_events",
        "agent_conversations",
        "agent_approvals",
        "agent_model_calls",
        "jobs",
        "outbox_events",
        "payments_credit_accounts",
        "payments_credit_holds",
        "payments_credit_lots",
        "payments_credit_uses",
        "vault_changes",
    }
)
"""What a run may write: itself, what it costs, and questions; `done` looks closer at four of these."""

_watched: list[list[Any]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        for seen in _watched:
            seen.append(arguments[1])
    elif event == "socket.getaddrinfo":
        for seen in _watched:
            seen.append((arguments[0], arguments[1]))


@cache
def _listen() -> None:
    """Hear of every connection from now on: there is no way to take it back, and it slows the process."""
    sys.addaudithook(_audit)


@contextmanager
def connections() -> Iterator[list[Any]]:
    """The addresses that this process connects to or asks for."""
    _listen()
    seen: list[Any] = []
    _watched.append(seen)
    try:
        yield seen
    finally:
        _watched.remove(seen)


class Collector:
    """The address where the orders want everything sent; `taken` are the requests that came, from whatever process."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                taken.append(self.path)
                self.send_response(204)
                self.end_headers()

            do_POST = do_HEAD = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = in_thread(self.server)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


async def rows(superuser: str) -> dict[str, str]:
    """A digest of every table."""
    connection = await asyncpg.connect(superuser)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        digest = "SELECT md5(coalesce(string_agg(h, '' ORDER BY h), '')) FROM (SELECT md5(t::text) AS h FROM {} t) AS h"
        return {name: await connection.fetchval(digest.format(f'public."{name}"')) for (name,) in names}
    finally:
        await connection.close()


async def done(superuser: str) -> dict[str, set[str]]:
    """What was ever allowed, what work was queued, what other parts were told, and what of people's own changed."""
    connection = await asyncpg.connect(superuser)
    try:
        asked = {
            "allowed": "SELECT id::text FROM agent_approvals WHERE state IN ('approved', 'consumed')",
            "jobs": "SELECT DISTINCT kind FROM jobs",
            "events": "SELECT DISTINCT event FROM outbox_events",
            "changes": "SELECT xid || ' ' || number FROM vault_changes WHERE kind NOT IN ('job', 'run')",
        }
        return {name: {row[0] for row in await connection.fetch(query)} for name, query in asked.items()}
    finally:
        await connection.close()


def stored(blob_url: str) -> set[str]:
    """Every stored file."""
    folder = Path(urlsplit(blob_url).path)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
