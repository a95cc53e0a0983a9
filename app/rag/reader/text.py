"""Text files: plain, Markdown, CSV and the like."""

from typing import Final

from app.rag.reader.pages import ReadPage, text_pages

_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_text(content: bytes) -> list[ReadPage]:
    """The pages of a text file."""
    return text_pages([decode(content)])


def decode(content: bytes) -> str:
    """Bytes of an undeclared encoding: by byte order mark, else UTF-8, else Windows-1252 (what browsers assume)."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
