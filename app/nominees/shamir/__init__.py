"""Shamir's secret sharing in the format of SLIP-0039, for sheets of words that people keep.

https://github.com/satoshilabs/slips/blob/master/slip-0039.md; sheets open with any other tool that knows the format.
A secret is encrypted (`feistel`), shared among groups and inside each group among members (`sharing`, arithmetic in
`gf256`), and each share is written as words with a checksum (`share`). `legacy` is the scheme of our sheets.

Nobody can tell a wrong passphrase from a right one: it opens another secret, which is meant to be so. Whoever uses the
secret must notice by what it opens.
"""

from app.nominees.shamir.errors import (
    DamagedShare,
    InconsistentShares,
    MixedShares,
    NotEnoughShares,
    ShareError,
    UnknownWord,
    UnsuitableScheme,
)
from app.nominees.shamir.legacy import LegacySheets, open_sheets, share_among_three
from app.nominees.shamir.mnemonics import combine, split
from app.nominees.shamir.share import Share, read_share

__all__ = [
    "DamagedShare",
    "InconsistentShares",
    "LegacySheets",
    "MixedShares",
    "NotEnoughShares",
    "Share",
    "ShareError",
    "UnknownWord",
    "UnsuitableScheme",
    "combine",
    "open_sheets",
    "read_share",
    "share_among_three",
    "split",
]
