"""What can be wrong with sheets, said so that the person who typed them knows what to do; words are never repeated."""


class ShareError(Exception):
    """Shares that don't open."""


class UnknownWord(ShareError):
    """A word that is not on the list."""

    def __init__(self, position: int) -> None:
        super().__init__(f"word {position} is not one of the words that sheets are made of")
        self.position = position


class DamagedShare(ShareError):
    """Words that don't fit together: one was mistyped, left out, doubled, or two changed places."""


class MixedShares(ShareError):
    """Sheets of different sets."""


class InconsistentShares(ShareError):
    """Sheets that say they belong together and don't: one was forged, or made at another time."""


class NotEnoughShares(ShareError):
    """Too few sheets. `groups` says for every group that is begun how many sheets are there and are needed."""

    def __init__(self, groups_complete: int, groups_needed: int, groups: dict[int, tuple[int, int]]) -> None:
        super().__init__(f"{groups_complete} of {groups_needed} groups are complete")
        self.groups_complete = groups_complete
        self.groups_needed = groups_needed
        self.groups = groups


class UnsuitableScheme(ShareError):
    """A secret, passphrase, or numbers of groups and members that the format can't hold."""
