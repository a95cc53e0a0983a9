"""Uploads by multipart/form-data, parsed while they arrive; nothing is kept in memory or on disk but the text parts."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.vault.errors import FileMissing, FormExpected, InvalidForm

FILE_PART: Final = "file"
MOST_PARTS: Final = 64
MOST_TEXT_BYTES: Final = 32 * 1024


class UploadForm:
    """A form with one part named `file` and text parts before or after it.

    `seek_file`, then read all of `file()`, then `finish`; `texts` has the parts that came so far. Everything raises
    `InvalidForm` for what is not a well-formed form.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise FormExpected
        self.texts: dict[str, list[str]] = {}
        self.file_name: str | None = None
        self._body = body
        self._pieces: deque[bytes] = deque()
        self._parts = self._text_bytes = 0
        self._name = ""
        self._text = bytearray()
        self._header, self._value, self._disposition = bytearray(), bytearray(), ""
        self._file_seen = self._in_file = self._ended = False
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_end": self._on_end,
                },
            )
        except FormParserError:
            raise InvalidForm from None

    async def seek_file(self) -> None:
        """Go on to the file. Raises `FileMissing`."""
        while not self._file_seen:
            if not await self._advance():
                raise FileMissing if self._ended else InvalidForm

    async def file(self) -> AsyncIterator[bytes]:
        """The bytes of the file."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if not self._in_file:
                return
            if not await self._advance():
                raise InvalidForm

    async def finish(self) -> None:
        """Read the rest of the form."""
        while await self._advance():
            pass
        if not self._ended:
            raise InvalidForm

    async def _advance(self) -> bool:
        """Parse the next piece of the body; False at its end."""
        piece = await anext(self._body, None)
        if piece is None:
            return False
        try:
            self._parser.write(piece)
        except FormParserError:
            raise InvalidForm from None
        return True

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InvalidForm("The form has too many parts")
        self._disposition = ""
        self._text.clear()

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _decoded(options.get(b"name", b""))
        if self._name != FILE_PART:
            return
        if self._file_seen:
            raise InvalidForm("The form has more than one file")
        self._file_seen = self._in_file = True
        self.file_name = _decoded(options[b"filename"]) if b"filename" in options else None

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
            return
        self._text_bytes += end - start
        if self._text_bytes > MOST_TEXT_BYTES:
            raise InvalidForm("The text parts of the form are too long")
        self._text += data[start:end]

    def _on_part_end(self) -> None:
        if self._in_file:
            self._in_file = False
        else:
            self.texts.setdefault(self._name, []).append(_decoded(self._text))

    def _on_end(self) -> None:
        self._ended = True


def _decoded(value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidForm("The text parts of the form are not UTF-8") from None
