"""Opening sheets without a server: `python -m app.nominees.opening KEYFILE SHEET [SHEET ...]`.

Each SHEET is a text file with the words of one sheet, numbered or not, in any number of lines. The legacy key is
written into KEYFILE, which only its owner may read and which must not exist yet; it is never printed.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from app.nominees.shamir import NotEnoughShares, ShareError, combine, read_share

OWNER_ONLY = 0o600


def main(arguments: Sequence[str]) -> int:
    """Open the sheets in these files; returns the exit status, 0 if the key was written."""
    if len(arguments) < 2:
        return _say(__doc__ or "")
    key_file, *sheets = (Path(each) for each in arguments)
    try:
        secret = combine(read_sheet(sheet) for sheet in sheets)
        write_secret(key_file, secret)
    except ShareError as error:
        return _say(explain(error))
    except FileExistsError:
        return _say(f"{key_file} is there already; nothing was written.")
    except (OSError, UnicodeDecodeError) as error:
        return _say(f"A file can't be read or written: {type(error).__name__}.")
    _say(f"The legacy key is in {key_file}. Remove it when you are done.")
    return 0


class _InFile(ShareError):
    """What is wrong with one sheet, and in which file."""


def read_sheet(sheet: Path) -> str:
    """The words in a file, without their numbers. Raises `ShareError`, `OSError`, `UnicodeDecodeError`."""
    typed = " ".join(each for each in sheet.read_text().split() if not each.strip(".").isdecimal())
    try:
        read_share(typed)
    except ShareError as error:
        raise _InFile(f"{sheet}: {error}.") from None
    return typed


def write_secret(key_file: Path, secret: bytes) -> None:
    """Write what only its owner may read into a new file. Raises `OSError`."""
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)


def explain(error: ShareError) -> str:
    """What is wrong with sheets, for whoever typed them."""
    if isinstance(error, NotEnoughShares):
        missing = [f"{needed - have} more" for have, needed in error.groups.values() if have < needed]
        return f"Not enough sheets: {error}" + (f"; of a group that is begun, {missing[0]}." if missing else ".")
    if isinstance(error, _InFile):
        return str(error)
    return "These sheets don't belong together: they are of different sets, or one of them was forged."


def _say(text: str) -> int:
    sys.stderr.write(f"{text.strip()}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
