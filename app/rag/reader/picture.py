"""Photos and scans: every page of the file is handed to tesseract as it is."""

import struct
from functools import partial
from typing import Final

from app.rag.reader.errors import Unreadable
from app.rag.reader.ocr import Ocr
from app.rag.reader.pages import ReadPage

TIFF: Final = "image/tiff"
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", TIFF})
ENTRY_BYTES: Final = 12


def read_picture(content: bytes, media_type: str, ocr: Ocr) -> list[ReadPage]:
    """One page, or those of a TIFF. Raises `Unreadable` for kinds that tesseract does not know, such as HEIC."""
    if media_type not in PICTURES:
        raise Unreadable("unsupported")
    if media_type != TIFF:
        return [partial(ocr.read, content)]
    return [
        partial(ocr.read, content, "-c", f"tessedit_page_number={index}")
        for index in range(_count_directories(content))
    ]


def _count_directories(content: bytes) -> int:
    """How many images a TIFF holds: the length of its chain of directories (TIFF 6.0, section 2); at least one."""
    order = "<" if content.startswith(b"II") else ">"
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(f"{order}I", content, 4)
        while at and at not in seen:
            seen.add(at)
            (entries,) = struct.unpack_from(f"{order}H", content, at)
            (at,) = struct.unpack_from(f"{order}I", content, at + 2 + entries * ENTRY_BYTES)
    except struct.error:
        pass  # the chain is cut off: what it reached so far may be readable
    return max(len(seen), 1)
