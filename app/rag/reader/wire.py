"""What the two processes say to each other: one job in, frames out.

The job is one line of JSON, followed by the content of the file up to the end of the stream. A frame is a length of
four bytes (big-endian) and a JSON object: a page, the reason why there will be none, or the end.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

LENGTH_BYTES: Final = 4
MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost; beyond any of them it ends with `Unreadable`.

    Time is what the reader takes, not what its caller takes between two pages. Memory is address space of each process.
    Of a long scan the first `ocr_max_pages` are read. Languages are names of tesseract's models; those that are not
    installed are left out.
    """

    max_bytes: int = 100 * MIB
    max_pages: int = 5_000
    max_chars: int = 10_000_000
    max_seconds: float = 600.0
    max_cpu_seconds: int = 120
    max_memory_bytes: int = 1536 * MIB
    ocr_max_pages: int = 100
    ocr_languages: tuple[str, ...] = ("eng",)


@dataclass(frozen=True, slots=True)
class Job:
    """One file to read; `name` helps where the media type is not known, `skip` are the pages that the caller has.

    `picture`: instead of text, the page of this number as a picture of this width. It comes as one frame that tells
    its width and height, and then its pixels.
    """

    media_type: str
    name: str
    limits: Limits
    skip: tuple[int, ...] = ()
    picture: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PageEvent:
    """The text of page `number` (from 1) of `total`.

    `language` is what the document declares. `ocr`: read from a picture. `skipped`: not read, because the page is a
    picture and the budget for those is used up or tesseract is not there, or because the page is broken.
    """

    number: int
    total: int
    text: str
    language: str | None = None
    ocr: bool = False
    skipped: bool = False


def encode_job(job: Job) -> bytes:
    """The line that opens a job."""
    return json.dumps(asdict(job)).encode() + b"\n"


def decode_job(line: bytes) -> Job:
    """The job of a line made by `encode_job`."""
    fields = json.loads(line)
    limits = fields.pop("limits")
    limits["ocr_languages"] = tuple(limits["ocr_languages"])
    return Job(**{**fields, "limits": Limits(**limits), "skip": tuple(fields["skip"])})


def encode_frame(message: dict[str, object]) -> bytes:
    """A message with its length in front."""
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return len(data).to_bytes(LENGTH_BYTES, "big") + data
