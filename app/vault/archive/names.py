"""Names of files and folders that every system can unpack, no two of them equal."""

import re
from pathlib import PurePosixPath
from typing import Final

LONGEST: Final = 80
FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]')
DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)
NAMELESS: Final = "Untitled"


def safe_name(name: str) -> str:
    """A name that no system takes for a path, a device or something hidden; its ending stays."""
    plain = FORBIDDEN.sub("_", name).strip(" .") or NAMELESS
    if DEVICES.fullmatch(plain):
        plain = f"_{plain}"
    stem, suffix = PurePosixPath(plain).stem, PurePosixPath(plain).suffix[:16]
    return f"{stem[: LONGEST - len(suffix)].rstrip(' .')}{suffix}"


class Names:
    """Gives out names within folders, each once, whatever the case of its letters."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, folder: str, name: str) -> str:
        """The path of a new file or folder; a number is added to a name that is taken."""
        wanted = PurePosixPath(safe_name(name))
        number, path = 1, f"{folder}{wanted}"
        while path.casefold() in self._taken:
            number += 1
            path = f"{folder}{wanted.stem} ({number}){wanted.suffix}"
        self._taken.add(path.casefold())
        return path
