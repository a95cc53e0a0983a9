"""Streams that are quiet for long: something in between might take silence for the end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def waited_for(parts: AsyncGenerator[T, None], seconds: float) -> AsyncGenerator[T | None, None]:
    """The parts, and None whenever the next one takes longer than this."""
    while True:
        coming = asyncio.ensure_future(anext(parts, None))
        try:
            while not (await asyncio.wait({coming}, timeout=seconds))[0]:
                yield None
        finally:
            while not coming.done():  # the client has left: so does the work
                coming.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({coming})
        part = coming.result()
        if part is None:
            return
        yield part
