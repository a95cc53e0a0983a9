"""One call of an OpenAI-compatible `POST /chat/completions`, streamed; bounded in time and size, and not believed."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

MOST_CHARACTERS = 32_000
MOST_BYTES = 4 * 1024 * 1024
MOST_LINE_BYTES = 512 * 1024
MOST_TOKENS_COUNTED = 10_000_000
CUT_SHORT = ("length", "max_tokens")
FAILED = ("content_filter", "error", "function_call", "tool_calls")
WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


@dataclass(slots=True)
class Written:
    """What came of a call: `ended` by the model itself, or `cut_short` at the most that it may write."""

    characters: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    ended: bool = False
    cut_short: bool = False

    @property
    def whole(self) -> bool:
        """Whether the last sentence is complete."""
        return self.ended and not self.cut_short


class CallFailed(Exception):
    """The provider did not answer, refused, or broke off; `status` is 0 without an answer.

    `again`: it may go better another time, after `retry_after` seconds if it said so.
    """

    def __init__(self, *, status: int = 0, again: bool = True, retry_after: float | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.again = again
        self.retry_after = retry_after


async def complete(
    client: httpx.AsyncClient, request: httpx.Request, deadline: float, written: Written
) -> AsyncGenerator[str, None]:
    """The text as it is written; `written` grows along. `deadline` is in `time.monotonic`. Raises `CallFailed`."""
    response = await _answered(client, request, deadline)
    try:
        streamed = not response.headers.get("content-type", "").startswith("application/json")
        async with aclosing(_lines(response, deadline) if streamed else _body(response, deadline)) as messages:
            async for message in messages:
                if piece := _take(message, written):
                    yield piece
                if written.characters >= MOST_CHARACTERS:
                    written.ended = written.cut_short = True
                    return
    except CallFailed:
        if not written.ended:
            raise
    finally:
        await response.aclose()
    if not written.ended:
        raise CallFailed


async def _answered(client: httpx.AsyncClient, request: httpx.Request, deadline: float) -> httpx.Response:
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            response = await client.send(request, stream=True)
    except (httpx.HTTPError, TimeoutError):
        raise CallFailed from None
    if response.status_code != httpx.codes.OK or response.headers.get("content-encoding", "identity") != "identity":
        await response.aclose()
        status, after = response.status_code, _seconds(response.headers.get("retry-after", ""))
        raise CallFailed(status=status, again=status in WORTH_ANOTHER_TRY, retry_after=after)
    return response


def _seconds(retry_after: str) -> float | None:
    """A `Retry-After` header, which is a number of seconds or a date (RFC 9110, 10.2.3)."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


async def _chunks(response: httpx.Response, deadline: float) -> AsyncGenerator[bytes, None]:
    """The bytes as they come, within time and size."""
    chunks = response.aiter_raw()
    size = 0
    while size <= MOST_BYTES:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except (httpx.HTTPError, TimeoutError):
            raise CallFailed from None
        size += len(chunk)
        yield chunk
    raise CallFailed(again=False)


async def _lines(response: httpx.Response, deadline: float) -> AsyncGenerator[bytes, None]:
    """What stands behind `data:` in server-sent events; this API puts one message on one line."""
    waiting = b""
    async with aclosing(_chunks(response, deadline)) as chunks:
        async for chunk in chunks:
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"data:") and (message := line.removeprefix(b"data:").strip()):
                    yield message
            if len(waiting) > MOST_LINE_BYTES:
                raise CallFailed(again=False)
    if waiting.startswith(b"data:"):
        yield waiting.removeprefix(b"data:").strip()


async def _body(response: httpx.Response, deadline: float) -> AsyncGenerator[bytes, None]:
    """The one message of a provider that does not stream."""
    async with aclosing(_chunks(response, deadline)) as chunks:
        yield b"".join([chunk async for chunk in chunks])


def _take(message: bytes, written: Written) -> str:
    """The text in one message; counts and the end are noted. Raises `CallFailed` for an error and for what is none."""
    if message == b"[DONE]":
        written.ended = True
        return ""
    try:
        event = orjson.loads(message)
    except ValueError:
        raise CallFailed(again=False) from None
    choices = _dict(event).get("choices")
    choice = _dict(choices[0]) if isinstance(choices, list) and choices else {}
    reason = choice.get("finish_reason")
    if not isinstance(event, dict) or event.get("error") or reason in FAILED:
        raise CallFailed(again=False)
    _note(written, _dict(event.get("usage")), reason)
    piece = _dict(choice.get("delta") or choice.get("message")).get("content")
    text = piece[: MOST_CHARACTERS - written.characters] if isinstance(piece, str) else ""
    written.characters += len(text)
    return text


def _note(written: Written, usage: dict[str, Any], reason: object) -> None:
    """Whatever has not the expected shape counts as nothing."""
    written.prompt_tokens = _count(usage.get("prompt_tokens"), written.prompt_tokens)
    written.completion_tokens = _count(usage.get("completion_tokens"), written.completion_tokens)
    written.ended = written.ended or bool(reason)
    written.cut_short = written.cut_short or reason in CUT_SHORT


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object, before: int) -> int:
    return value if isinstance(value, int) and 0 <= value <= MOST_TOKENS_COUNTED else before
