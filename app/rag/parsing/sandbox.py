"""Starts the limited process that reads a file, feeds it, and never believes what it says."""

import asyncio
import json
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

import app
from app.core.logging import get_log
from app.rag.reader.errors import REASONS, Unreadable
from app.rag.reader.pages import clean
from app.rag.reader.wire import LENGTH_BYTES, Job, Limits, PageEvent, encode_job

log = get_log(__name__)

# What the reader may see of our environment: where programs, their libraries and models are; no settings, no secrets.
PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX")
IMPORT_ROOT: Final = str(Path(app.__file__ or "").parent.parent)
REAPING_SECONDS: Final = 5
# Where libraries like to keep things. The folder does not exist: there is nothing to fill, to leak or to tidy up.
FOLDERS: Final = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
NOWHERE: Final = "/nonexistent"
ERROR_CHARS: Final = 60
LANGUAGE_CHARS: Final = 35  # the longest tag that RFC 5646 asks everyone to accept
FRAME_OVERHEAD: Final = 4096
MOST_PIXELS: Final = 8_000_000
BYTES_PER_PIXEL: Final = 3
BYTES_PER_CHAR: Final = 6  # JSON writes a control character as \u0000
CAUSES_OF_DEATH: Final[dict[int, str]] = {
    signal.SIGXCPU: "timed_out",
    signal.SIGKILL: "killed",
    signal.SIGABRT: "out_of_memory",
    signal.SIGTRAP: "out_of_memory",
    signal.SIGILL: "out_of_memory",
}


async def read_pages(
    content: AsyncIterator[bytes], *, media_type: str, name: str, limits: Limits, skip: Collection[int] = ()
) -> AsyncGenerator[PageEvent, None]:
    """The pages of a file in order, each as soon as it is read, without the numbers in `skip`.

    A media type that is not known (`application/octet-stream`) is looked for in the content again, with `name` to tell
    flavours apart. Raises `Unreadable`, also after some pages. Nothing of the file is written to disk. The process ends
    with the generator: use `contextlib.aclosing` where the loop may be left early.
    """
    async with _reader(limits) as reader:
        await reader.feed(encode_job(Job(media_type, name, limits, tuple(skip))), content)
        async for event in reader.pages():
            yield event


async def show_page(
    content: AsyncIterator[bytes], *, media_type: str, page: int, width: int, limits: Limits
) -> tuple[int, int, bytes]:
    """A page of a PDF or a picture as rows of RGB from the top: width, height, pixels. Raises `Unreadable`."""
    async with _reader(limits) as reader:
        await reader.feed(encode_job(Job(media_type, "", limits, picture=(page, width))), content)
        return await reader.picture(width)


@asynccontextmanager
async def _reader(limits: Limits) -> AsyncIterator["_Reader"]:
    """A fresh process in a session of its own; it and all that it started are killed in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-B", "-S", "-s", "-P", "-m", "app.rag.reader", str(os.getpid())),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )
    try:
        yield _Reader(process, limits)
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """Kill the process with all that it started, and wait until its pipes are closed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    cast(StreamWriter, process.stdin).close()
    with suppress(TimeoutError):
        async with asyncio.timeout(REAPING_SECONDS):  # who left the session on purpose may still hold the pipe
            await process.communicate()


def _environment() -> dict[str, str]:
    environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    environment |= dict.fromkeys(FOLDERS, NOWHERE)
    environment["LANG"] = "C.UTF-8"
    environment["MALLOC_ARENA_MAX"] = "2"  # glibc reserves 64 MiB of address space for each
    environment["OMP_THREAD_LIMIT"] = "1"
    environment["PYTHONPATH"] = os.pathsep.join([IMPORT_ROOT, *(os.path.abspath(entry) for entry in sys.path if entry)])
    return environment


class _Reader:
    """The parent's end of the conversation; every wait counts against the time limit."""

    def __init__(self, process: Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._seconds_left = limits.max_seconds

    async def feed(self, job: bytes, content: AsyncIterator[bytes]) -> None:
        """Hand over the job and the file. Raises `Unreadable` if the file is too large."""
        stdin = cast(StreamWriter, self._process.stdin)
        size = 0
        with suppress(BrokenPipeError, ConnectionResetError):  # it ended early; its last frame tells why
            stdin.write(job)
            async for part in content:
                size += len(part)
                if size > self._limits.max_bytes:
                    raise Unreadable("too_large")
                stdin.write(part)
                async with self._timed():
                    await stdin.drain()
        if not size:
            raise Unreadable("empty")
        stdin.close()

    async def pages(self) -> AsyncIterator[PageEvent]:
        """What the process has read. Raises `Unreadable` for whatever else it does."""
        chars, last = 0, 0
        while True:
            message = await self._frame()
            if message.get("end") is True:
                return
            if "reason" in message:
                raise _refusal(message)
            event = _event(message)
            chars += len(event.text.strip())
            if not last < event.number <= event.total <= self._limits.max_pages:
                raise Unreadable("damaged")
            if chars > self._limits.max_chars:
                raise Unreadable("too_much_text")
            last = event.number
            yield event

    async def picture(self, width: int) -> tuple[int, int, bytes]:
        """What the process has drawn, no wider than asked for. Raises `Unreadable` for whatever else it does."""
        message = await self._frame()
        if "reason" in message:
            raise _refusal(message)
        match message:
            case {"width": int(drawn), "height": int(height)} if 0 < drawn <= width and height > 0:
                if drawn * height <= MOST_PIXELS:
                    return drawn, height, await self._bytes(drawn * height * BYTES_PER_PIXEL)
        raise Unreadable("damaged")

    async def _bytes(self, size: int) -> bytes:
        async with self._timed():
            try:
                return await cast(StreamReader, self._process.stdout).readexactly(size)
            except asyncio.IncompleteReadError:
                raise Unreadable(await self._cause_of_death()) from None

    async def _frame(self) -> dict[str, Any]:
        stdout = cast(StreamReader, self._process.stdout)
        async with self._timed():
            try:
                size = int.from_bytes(await stdout.readexactly(LENGTH_BYTES), "big")
                if size > self._limits.max_chars * BYTES_PER_CHAR + FRAME_OVERHEAD:
                    raise Unreadable("too_much_text")
                message = json.loads(await stdout.readexactly(size))
            except asyncio.IncompleteReadError:
                raise Unreadable(await self._cause_of_death()) from None
            except (ValueError, RecursionError):
                raise Unreadable("damaged") from None
        return message if isinstance(message, dict) else {}

    async def _cause_of_death(self) -> str:
        return CAUSES_OF_DEATH.get(-await self._process.wait(), "damaged")

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._seconds_left):
                yield
        except TimeoutError:
            raise Unreadable("timed_out") from None
        finally:
            self._seconds_left -= loop.time() - started


def _refusal(message: dict[str, Any]) -> Unreadable:
    if error := message.get("error"):
        log.warning("reader failed", error=str(error)[:ERROR_CHARS])
    reason = message["reason"]
    known = isinstance(reason, str) and reason in REASONS and reason != "killed"  # that, only its end tells
    return Unreadable(reason if known else "damaged")


def _event(message: dict[str, Any]) -> PageEvent:
    """A page, if the message is one. Raises `Unreadable`: the process may have been taken over by the file."""
    match message:
        case {"number": int(number), "total": int(total), "text": str(text), "language": language}:
            return PageEvent(
                number,
                total,
                clean(text),
                language=language[:LANGUAGE_CHARS] if isinstance(language, str) else None,
                ocr=message.get("ocr") is True,
                skipped=message.get("skipped") is True,
            )
    raise Unreadable("damaged")
