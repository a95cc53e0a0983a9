"""The scheme of legacy sheets: owner | server | nominees k-of-n, of which any two groups open the legacy key."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.nominees.shamir.mnemonics import combine, split

OWNER, SERVER, NOMINEES = range(3)
GROUPS_NEEDED = 2


@dataclass(frozen=True, slots=True, repr=False)
class LegacySheets:
    """The words for each holder; where one nominee is enough, all of them get the same ones."""

    owner: str
    server: str
    nominees: tuple[str, ...]


def share_among_three(secret: bytes, nominees_needed: int, nominees: int) -> LegacySheets:
    """Share a legacy key. Raises `UnsuitableScheme`."""
    alike = nominees_needed == 1
    groups = [(1, 1), (1, 1), (nominees_needed, 1 if alike else nominees)]
    (owner,), (server,), theirs = split(secret, groups, GROUPS_NEEDED)
    return LegacySheets(owner, server, tuple(theirs * nominees if alike else theirs))


def open_sheets(sheets: Iterable[str]) -> bytes:
    """The legacy key, from the sheets of any two groups. Raises what `combine` raises."""
    return combine(sheets)
