"""Answers written by a language model behind any OpenAI-compatible endpoint."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import Any

import httpx
from prometheus_client import Counter

from app.core.breaker import Breaker
from app.core.config import Settings
from app.core.logging import get_log
from app.rag.completions import CallFailed, Written, complete
from app.rag.errors import ModelUnavailable
from app.rag.framing import messages
from app.rag.ranking import Hit

TRIES = 3
FIRST_PAUSE_SECONDS = 0.5
CONNECT_SECONDS = 5.0
MOST_TOKENS = 1_000
PLAIN = ("model", "messages", "stream")
"""What every provider understands; some refuse one or another of the rest."""
NOT_UNDERSTOOD = (400, 422)

_breakers: dict[str, Breaker] = {}

log = get_log(__name__)
calls = Counter("lifevault_model_calls_total", "Answers asked of the language model, by what came of it.", ["outcome"])


async def write(settings: Settings, question: str, hits: Sequence[Hit], written: Written) -> AsyncGenerator[str, None]:
    """Stream the model's answer; `written` grows along.

    A call that failed before its first word is tried again, within `model_timeout_seconds` for everything. Raises
    `ModelUnavailable`, at once while the provider is known not to answer.
    """
    guard = breaker(settings.model_url)
    if not guard.allows():
        calls.labels("not tried").inc()
        raise ModelUnavailable
    try:
        async with aclosing(_tries(settings, messages(question, hits), written)) as pieces:
            async for piece in pieces:
                yield piece
    except CallFailed as error:
        guard.failed(error.retry_after)
        calls.labels("failed").inc()
        log.warning("model unavailable", status=error.status)
        raise ModelUnavailable from None
    guard.succeeded()
    calls.labels("answered").inc()


def breaker(model_url: str) -> Breaker:
    """The breaker of a provider, one for each process."""
    return _breakers.setdefault(model_url, Breaker("model"))


async def _tries(settings: Settings, chat: list[dict[str, str]], written: Written) -> AsyncGenerator[str, None]:
    deadline = time.monotonic() + settings.model_timeout_seconds
    body = _body(settings, chat)
    async with _client(settings) as client:
        for left in reversed(range(TRIES)):
            try:
                request = client.build_request("POST", "chat/completions", json=body)
                async with aclosing(complete(client, request, deadline, written)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except CallFailed as error:
                plainer = error.status in NOT_UNDERSTOOD and len(body) > len(PLAIN)
                pause = error.retry_after or FIRST_PAUSE_SECONDS * 2 ** (TRIES - 1 - left)
                pause = 0.0 if plainer else pause
                hopeless = written.characters or not (error.again or plainer)
                if hopeless or not left or time.monotonic() + pause >= deadline:
                    raise
                body = {name: body[name] for name in PLAIN} if plainer else body
                await asyncio.sleep(pause)


def _body(settings: Settings, chat: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "model": settings.model_name,
        "messages": chat,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
    }


def _client(settings: Settings) -> httpx.AsyncClient:
    most = settings.model_timeout_seconds
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
    if key := settings.model_api_key.get_secret_value():
        headers["Authorization"] = f"Bearer {key}"
    timeout = httpx.Timeout(most, connect=min(CONNECT_SECONDS, most))
    return httpx.AsyncClient(base_url=settings.model_url, headers=headers, timeout=timeout, verify=_tls())


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Loading the certificates takes as long as everything else that a client needs a hundred times over."""
    return httpx.create_ssl_context()
