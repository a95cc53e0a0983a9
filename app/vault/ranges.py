"""Ranges of bytes (RFC 9110 §14)."""

import re
from typing import Final

from app.vault.errors import NoSuchRange

_ONE_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def chosen_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes [start, end) that a `Range` header asks for; None for the whole file.

    Several ranges, or anything that is not understood, are answered with the whole file, as the RFC allows. Raises
    `NoSuchRange` with the size of the file.
    """
    match = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] and match[2] and int(match[1]) > int(match[2]):
        return None
    start = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    end = min(int(match[2]) + 1, size) if match[1] and match[2] else size
    if start >= end:
        raise NoSuchRange(headers={"Content-Range": f"bytes */{size}"})
    return start, end
