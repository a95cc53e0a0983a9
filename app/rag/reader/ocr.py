"""Text from pictures, by the program `tesseract` where it is installed; pixels and text go through pipes only."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Final

from app.rag.reader.confine import die_with
from app.rag.reader.errors import Unreadable
from app.rag.reader.pages import PageText, clean
from app.rag.reader.wire import Limits

DPI: Final = 200
ORIENTATION: Final = "osd"
PICTURE_SECONDS: Final = 120
TIME_SHARE: Final = 0.8


class Ocr:
    """Reads pictures until the budget of pages, or most of the time for the file, is used up."""

    def __init__(self, limits: Limits) -> None:
        self._budget = limits.ocr_max_pages
        self._end = time.monotonic() + TIME_SHARE * limits.max_seconds
        self._wanted = limits.ocr_languages

    @cached_property
    def _command(self) -> list[str] | None:
        """How to call tesseract here; None if it, or every wanted language, is missing."""
        program = shutil.which("tesseract")
        installed = _languages(program) if program else []
        languages = [language for language in self._wanted if language in installed]
        if not program or not languages:
            return None
        segmentation = "1" if ORIENTATION in installed else "3"
        return [program, "stdin", "stdout", "-l", "+".join(languages), "--psm", segmentation]

    @property
    def available(self) -> bool:
        """Whether pictures can be read here at all."""
        return self._command is not None

    def read(self, picture: bytes, *options: str) -> PageText:
        """The text of one picture in any format that tesseract knows; options are tesseract's.

        Raises `Unreadable` if the picture can't be decoded, or takes longer than `PICTURE_SECONDS`.
        """
        if self._command is None or self._budget <= 0 or time.monotonic() > self._end:
            return PageText("", skipped=True)
        self._budget -= 1
        try:
            output = _run([*self._command, *options], picture)
        except subprocess.TimeoutExpired:
            raise Unreadable("timed_out") from None
        if output is None:
            raise Unreadable("damaged")
        return PageText(clean(output.decode(errors="replace")).strip("\n\f "), ocr=True)


def _languages(program: str) -> Sequence[str]:
    output = _run([program, "--list-langs"], b"") or b""
    return output.decode(errors="replace").split("\n")[1:]


def _run(command: list[str], data: bytes) -> bytes | None:
    """What the command writes; None if it fails."""
    end_with_me = partial(die_with, os.getpid())
    done = subprocess.run(  # noqa: S603 - the program is found on our PATH, the arguments are ours
        command, input=data, stdout=subprocess.PIPE, check=False, preexec_fn=end_with_me, timeout=PICTURE_SECONDS
    )
    return done.stdout if done.returncode == 0 else None
