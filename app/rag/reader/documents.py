"""Which reader reads which kind of file."""

from typing import Final

from app.core import sniff
from app.rag.reader.errors import Unreadable
from app.rag.reader.ocr import Ocr
from app.rag.reader.pages import ReadPage

HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
TEXT: Final = frozenset({"application/json", "application/xml"})


def open_document(content: bytes, media_type: str, ocr: Ocr, depth: int = 0) -> list[ReadPage]:
    """The pages of a file; `depth` counts the mails around it. Raises `Unreadable`.

    A reader is imported when a file needs it: a text should not pay for the start of pdfium.
    """
    if not content:
        raise Unreadable("empty")
    if media_type == sniff.PDF:
        from app.rag.reader.pdf import read_pdf  # noqa: PLC0415

        return read_pdf(content, ocr)
    if media_type.startswith("image/"):
        from app.rag.reader.picture import read_picture  # noqa: PLC0415

        return read_picture(content, media_type, ocr)
    if media_type == sniff.EMAIL:
        from app.rag.reader.mail import read_mail  # noqa: PLC0415

        return read_mail(content, lambda part, kind: open_document(part, kind, ocr, depth + 1), depth)
    if media_type in HTML:
        from app.rag.reader.html import read_html  # noqa: PLC0415

        return read_html(content)
    if media_type.startswith("text/") or media_type in TEXT:
        from app.rag.reader.text import read_text  # noqa: PLC0415

        return read_text(content)
    from app.rag.reader.office import read_office  # noqa: PLC0415

    return read_office(content, media_type)
