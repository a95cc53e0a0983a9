"""Who belongs to a vault: signed lists, counted and chained by hash; the server can't add, keep or drop anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.sealed.box import derive
from app.sealed.encoding import NO_DIGEST, digest, number, pack, to_id, to_number, to_text, unpack, unpack_exactly
from app.sealed.errors import Missing, NotAllowed, Tampered
from app.sealed.identity import Identity, PublicIdentity, read_envelope

PURPOSE = "members"


class Role(StrEnum):
    """Viewers read, editors write, admins also invite and remove, owners also change owners."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
WRITERS = MANAGERS | {Role.EDITOR}


@dataclass(frozen=True, slots=True)
class Member:
    """A person with the keys under which the vault knows them."""

    identity: PublicIdentity
    role: Role


@dataclass(frozen=True, slots=True)
class MemberList:
    """One state of the membership.

    `epoch` counts the keys of the vault and `key_check` commits to the present one; `closing` is the digest of the
    last revisions of the epoch before (none in the first epoch).
    """

    vault: UUID
    counter: int
    previous: bytes
    epoch: int
    key_check: bytes
    closing: bytes
    members: tuple[Member, ...]
    signer: UUID

    def body(self) -> bytes:
        """What is signed and chained."""
        entries = (pack(each.identity.to_bytes(), each.role.encode()) for each in self.members)
        return pack(
            self.vault.bytes,
            number(self.counter),
            self.previous,
            number(self.epoch),
            self.key_check,
            self.closing,
            pack(*entries),
            self.signer.bytes,
        )

    def digest(self) -> bytes:
        """What the next list and every client's pin point at."""
        return digest(self.body())

    def member(self, account: UUID) -> Member:
        """Raises `Missing` for somebody who is not on the list."""
        for each in self.members:
            if each.identity.account == account:
                return each
        raise Missing

    def has(self, account: UUID) -> bool:
        """Whether the person is on the list."""
        return any(each.identity.account == account for each in self.members)

    def envelope(self, identity: Identity) -> bytes:
        """Signed."""
        return identity.envelope(PURPOSE, self.body())


def key_check(vault: UUID, epoch: int, secret: bytes) -> bytes:
    """A commitment to the key of an epoch, so that all members hold the same one."""
    return derive(secret, "epoch check", vault.bytes, number(epoch))


def open_list(envelope: bytes) -> tuple[MemberList, bytes]:
    """A list and its signature, not yet verified. Raises `UnsupportedSuite`, `Tampered`."""
    body, signature = read_envelope(envelope)
    vault, counter, previous, epoch, check, closing, members, signer = unpack_exactly(body, 8)
    entries = tuple(_member(each) for each in unpack(members))
    if len({each.identity.account for each in entries}) != len(entries):
        raise Tampered
    one = MemberList(
        to_id(vault), to_number(counter), previous, to_number(epoch), check, closing, entries, to_id(signer)
    )
    return one, signature


def _member(data: bytes) -> Member:
    identity, role = unpack_exactly(data, 2)
    if to_text(role) not in set(Role):
        raise Tampered
    return Member(PublicIdentity.from_bytes(identity), Role(to_text(role)))


def verified_chain(vault: UUID, envelopes: Sequence[bytes]) -> tuple[MemberList, ...]:
    """Every list from the first to the last, each signed by somebody whom the one before allowed to.

    Raises `Tampered`, `NotAllowed`, `UnsupportedSuite`.
    """
    chain: list[MemberList] = []
    for envelope in envelopes:
        after, signature = open_list(envelope)
        before = chain[-1] if chain else after
        if after.vault != vault or not before.has(after.signer):
            raise Tampered
        before.member(after.signer).identity.verify(PURPOSE, after.body(), signature)
        if chain:
            check_successor(before, after)
        else:
            _check_first(after)
        chain.append(after)
    if not chain:
        raise Missing
    return tuple(chain)


def _check_first(first: MemberList) -> None:
    alone = [(each.identity.account, each.role) for each in first.members] == [(first.signer, Role.OWNER)]
    if (first.counter, first.epoch, first.previous, first.closing, alone) != (1, 1, NO_DIGEST, NO_DIGEST, True):
        raise Tampered


def check_successor(before: MemberList, after: MemberList) -> None:
    """That the signer, as a member of the list before, may turn it into the list after.

    Raises `Tampered` for a broken chain, `NotAllowed` for a step beyond the signer's role.
    """
    if (after.counter, after.previous) != (before.counter + 1, before.digest()):
        raise Tampered
    same_epoch = (before.epoch, before.key_check, before.closing) == (after.epoch, after.key_check, after.closing)
    if not same_epoch and after.epoch != before.epoch + 1:
        raise Tampered
    if same_epoch and loses_rights(before.members, after.members):
        raise NotAllowed  # or who left would hold the key, and who may not write any more could write as if before
    if not (_only_own_keys(before, after) and same_epoch):
        _check_manager(before, after)


def loses_rights(before: Sequence[Member], after: Sequence[Member]) -> bool:
    """Whether somebody leaves or may not write any more; either ends the epoch."""
    readers = {each.identity.account for each in after}
    writers = {each.identity.account for each in after if each.role in WRITERS}
    return any(each.identity.account not in (writers if each.role in WRITERS else readers) for each in before)


def _only_own_keys(before: MemberList, after: MemberList) -> bool:
    def others(one: MemberList) -> list[Member]:
        return [each for each in one.members if each.identity.account != after.signer]

    same_role = after.has(after.signer) and after.member(after.signer).role is before.member(after.signer).role
    return same_role and others(before) == others(after)


def _check_manager(before: MemberList, after: MemberList) -> None:
    role = before.member(after.signer).role
    if role not in MANAGERS or not any(each.role is Role.OWNER for each in after.members):
        raise NotAllowed
    if role is not Role.OWNER and _owners(before) != _owners(after):
        raise NotAllowed
    for each in after.members:
        account = each.identity.account
        if before.has(account) and before.member(account).identity != each.identity:
            raise NotAllowed  # a person's keys are replaced by that person only


def _owners(one: MemberList) -> set[Member]:
    return {each for each in one.members if each.role is Role.OWNER}
