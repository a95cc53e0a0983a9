"""Why a file can't be read, as stable codes with words for the person who stored it."""

from typing import Final

from app.core.errors import Unprocessable

REASONS: Final = {
    "damaged": "The file is damaged or incomplete, so it can't be read. Try to save or scan it again.",
    "empty": "The file is empty.",
    "encrypted": "The file is protected by a password. Store a copy without one to have it read.",
    "not_installed": "Reading files of this kind is not set up here.",
    "killed": "Reading the file was ended from outside, as happens when the machine is short of memory.",
    "no_ocr": "The pages are pictures without text, and reading text from pictures is not set up here.",
    "no_page": "The file has no such page.",
    "no_text": "No text was found in the file.",
    "out_of_memory": "Reading the file needs more memory than is allowed. It may be damaged, or far too detailed.",
    "timed_out": "Reading the file took longer than is allowed.",
    "too_large": "The file is larger than can be read.",
    "too_many_pages": "The file has more pages than can be read.",
    "too_much_text": "The file holds more text than can be read.",
    "unsupported": "Files of this kind are kept, but can't be read.",
}


class Unreadable(Unprocessable):
    """The file is kept as it is, but no text comes out of it; `reason` is a key of `REASONS`."""

    title = "This file can't be read"

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(detail or REASONS[reason], reason=reason)
        self.reason = reason
