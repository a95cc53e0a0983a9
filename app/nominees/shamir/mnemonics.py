"""Splitting a secret into groups of mnemonics, and opening it again."""

import secrets
from collections.abc import Iterable, Sequence

from app.nominees.shamir.errors import InconsistentShares, MixedShares, NotEnoughShares, UnsuitableScheme
from app.nominees.shamir.feistel import decrypt, encrypt
from app.nominees.shamir.share import LEAST_SECRET_BYTES, MOST_SECRET_BYTES, Share, ShareSet, read_share
from app.nominees.shamir.sharing import join_bytes, split_bytes

IDENTIFIER_BITS = 15
MOST_EXPONENT = 15
Groups = Sequence[tuple[int, int]]


def split(
    secret: bytes,
    groups: Groups,
    group_threshold: int,
    *,
    passphrase: str = "",
    exponent: int = 1,
    extendable: bool = True,
) -> list[list[str]]:
    """The mnemonics of every group; each group is (threshold, members), and `group_threshold` groups open.

    `exponent` doubles the cost of a passphrase, from 10,000 iterations. Raises `UnsuitableScheme`.
    """
    _check(secret, groups, exponent)
    identifier = secrets.randbits(IDENTIFIER_BITS)
    encrypted = encrypt(secret, passphrase, exponent, identifier, extendable=extendable)
    of = ShareSet(identifier, extendable, exponent, group_threshold, len(groups))
    parts = split_bytes(encrypted, group_threshold, len(groups))
    return [
        [
            Share(of, group, member, threshold, value).words()
            for member, value in enumerate(split_bytes(part, threshold, count))
        ]
        for group, (part, (threshold, count)) in enumerate(zip(parts, groups, strict=True))
    ]


def combine(mnemonics: Iterable[str], passphrase: str = "") -> bytes:
    """The secret, from enough mnemonics of enough groups, in any order; more than enough are checked too.

    Raises `UnknownWord`, `DamagedShare`, `MixedShares`, `NotEnoughShares`, `InconsistentShares`, `UnsuitableScheme`.
    A wrong passphrase raises nothing and gives another secret.
    """
    shares = list(dict.fromkeys(read_share(each) for each in mnemonics))
    of = _common_set(shares)
    groups = _by_group(shares)
    complete = {group: members for group, members in groups.items() if len(members) >= members[0].member_threshold}
    if len(complete) < of.group_threshold:
        begun = {group: (len(members), members[0].member_threshold) for group, members in groups.items()}
        raise NotEnoughShares(len(complete), of.group_threshold, begun)
    parts = {group: _join_group(members) for group, members in complete.items()}
    encrypted = join_bytes(parts, of.group_threshold)
    return decrypt(encrypted, passphrase, of.exponent, of.identifier, extendable=of.extendable)


def _check(secret: bytes, groups: Groups, exponent: int) -> None:
    if not LEAST_SECRET_BYTES <= len(secret) <= MOST_SECRET_BYTES or len(secret) % 2:
        raise UnsuitableScheme("a secret has 16 to 64 bytes, in an even number")
    if not 0 <= exponent <= MOST_EXPONENT:
        raise UnsuitableScheme("the exponent of the iterations goes from 0 to 15")
    if any(threshold == 1 < count for threshold, count in groups):
        raise UnsuitableScheme("where one of several is enough, give all of them the same sheet")


def _common_set(shares: Sequence[Share]) -> ShareSet:
    if not shares:
        raise NotEnoughShares(0, 1, {})
    if len({(share.of, len(share.value)) for share in shares}) > 1:
        raise MixedShares
    return shares[0].of


def _by_group(shares: Iterable[Share]) -> dict[int, list[Share]]:
    groups: dict[int, list[Share]] = {}
    for share in shares:
        groups.setdefault(share.group, []).append(share)
    for members in groups.values():
        if len({share.member_threshold for share in members}) > 1:
            raise MixedShares
        if len({share.member for share in members}) < len(members):
            raise InconsistentShares
    return groups


def _join_group(members: Sequence[Share]) -> bytes:
    return join_bytes({share.member: share.value for share in members}, members[0].member_threshold)
