"""One call that reads a file as the worker does."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress

import psutil

from app.core.sniff import HEAD_BYTES
from app.rag.parsing import Limits, PageEvent, Unreadable, read_pages, sniff


async def stream(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """The content in parts, as a blob store delivers it."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(
    content: bytes, name: str = "", limits: Limits | None = None, skip: Collection[int] = ()
) -> list[PageEvent]:
    """All pages of a file of the kind that its content shows."""
    media_type = sniff(content[:HEAD_BYTES], name)
    pages = read_pages(stream(content), media_type=media_type, name=name, limits=limits or Limits(), skip=skip)
    return [page async for page in pages]


async def reason(content: bytes, name: str = "", limits: Limits | None = None) -> str:
    """Why a file can't be read; empty if it can."""
    try:
        await read(content, name, limits)
    except Unreadable as error:
        return error.reason
    return ""


async def kill_the_reader() -> None:
    """As the system does when memory runs short: the next process that reads a file, as soon as there is one."""
    async with asyncio.timeout(60):
        while True:
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    if "app.rag.reader" in child.cmdline():
                        child.kill()
                        return
            await asyncio.sleep(0.005)
