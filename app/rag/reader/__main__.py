"""`python -m app.rag.reader PARENT_PID`: read the one file that comes by stdin, write its pages to stdout."""

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import BinaryIO

from app.core.sniff import HEAD_BYTES, UNKNOWN, sniff
from app.rag.reader.confine import confine
from app.rag.reader.documents import open_document
from app.rag.reader.errors import Unreadable
from app.rag.reader.ocr import Ocr
from app.rag.reader.wire import Job, PageEvent, decode_job, encode_frame


def main() -> None:
    """Read one file; whatever happens is told as a frame, as far as the process lives to tell it."""
    answers = _take_stdout()
    sys.excepthook = partial(_last_words, answers)
    job = decode_job(sys.stdin.buffer.readline())
    confine(job.limits, parent=int(sys.argv[1]))
    try:
        if job.picture:
            show(answers, sys.stdin.buffer.read(), job)
        else:
            for event in read(sys.stdin.buffer.read(), job):
                _tell(answers, asdict(event))
            _tell(answers, {"end": True})
    except Unreadable as error:
        _tell(answers, {"reason": error.reason})
    except MemoryError:
        _tell(answers, {"reason": "out_of_memory"})
    except ModuleNotFoundError:
        _tell(answers, {"reason": "not_installed"})


def read(content: bytes, job: Job) -> Iterator[PageEvent]:
    """The pages of one file, without those that the job skips. Raises `Unreadable`."""
    ocr = Ocr(job.limits)
    media_type = sniff(content[:HEAD_BYTES], job.name) if job.media_type == UNKNOWN else job.media_type
    pages = open_document(content, media_type, ocr)
    if len(pages) > job.limits.max_pages:
        raise Unreadable("too_many_pages")
    chars, pictures = 0, 0
    for number, read_page in enumerate(pages, start=1):
        if number in job.skip:
            continue
        page = read_page()
        chars += len(page.text.strip())
        pictures += page.skipped
        if chars > job.limits.max_chars:
            raise Unreadable("too_much_text")
        yield PageEvent(number, len(pages), page.text, page.language, page.ocr, page.skipped)
    if not chars and not job.skip:
        raise Unreadable("no_ocr" if pictures and not ocr.available else "no_text")


def show(answers: BinaryIO, content: bytes, job: Job) -> None:
    """Tell a page as a picture. Raises `Unreadable`."""
    from app.rag.reader.render import render  # noqa: PLC0415  whoever reads text should not pay for it

    assert job.picture  # noqa: S101
    picture = render(content, job.media_type, *job.picture)
    _tell(answers, {"width": picture.width, "height": picture.height})
    _write(answers, picture.pixels)


def _take_stdout() -> BinaryIO:
    """The stream for frames; what a library prints by itself goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return answers


def _last_words(answers: BinaryIO, kind: type[BaseException], *_: object) -> None:
    """A library met what it was not made for, or panicked. Only the class is told: the message may quote the file."""
    _tell(answers, {"reason": "damaged", "error": kind.__name__})


def _tell(answers: BinaryIO, message: dict[str, object]) -> None:
    _write(answers, encode_frame(message))


def _write(answers: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[answers.write(view) :]


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing is left to tidy up, and tidying up takes as long as reading a few pages
