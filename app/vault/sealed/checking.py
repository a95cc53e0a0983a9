"""What a server can check of what clients seal and sign, without any key; pure functions.

Each raises `UnknownSuite`, `WeakSealedPassword`, `SealedInvalid`, `WrapsIncomplete`, `SealedTooLarge` or `RoleTooLow`.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from app.sealed.box import OVERHEAD_BYTES, SECRET_BYTES, SUITE_BYTES, check_suite, key_id_of
from app.sealed.encoding import NO_DIGEST, digest, number, to_id, to_number, unpack, unpack_exactly
from app.sealed.errors import NotAllowed, SealedError, Tampered, UnsupportedSuite, WeakKdf
from app.sealed.identity import PublicIdentity, read_envelope
from app.sealed.item_keys import epoch_of
from app.sealed.members import PURPOSE as MEMBERS
from app.sealed.members import Member, MemberList, check_successor, open_list, verified_chain
from app.sealed.revision import SCHEMA, Revision, read_revision
from app.sealed.state import AccountState, check_succession, open_state
from app.sealed.wrap import PURPOSE as WRAP
from app.sealed.wrap import wrap_place
from app.vault.errors import RoleTooLow, StaleRevision
from app.vault.sealed.errors import SealedInvalid, SealedTooLarge, UnknownSuite, WeakSealedPassword, WrapsIncomplete

HPKE_OVERHEAD: Final = 32 + 16  # the encapsulated key of X25519 and the tag (RFC 9180)


@contextmanager
def refusing() -> Iterator[None]:
    """Say in the words of the API what the reference client refuses."""
    try:
        yield
    except UnsupportedSuite:
        raise UnknownSuite from None
    except WeakKdf:
        raise WeakSealedPassword from None
    except NotAllowed:
        raise RoleTooLow from None
    except SealedError:
        raise SealedInvalid from None


def require(condition: bool) -> None:
    """Raises `SealedInvalid` unless it holds."""
    if not condition:
        raise SealedInvalid


def require_size(most: int, *blobs: bytes) -> None:
    """Raises `SealedTooLarge` if these are larger together."""
    if sum(map(len, blobs)) > most:
        raise SealedTooLarge(f"At most {most} bytes are kept here")


def first_state(envelope: bytes, wraps: bytes, account: UUID) -> AccountState:
    """The first state of an account."""
    state = _state(envelope, wraps, account)
    require((state.counter, state.previous, state.successions) == (1, NO_DIGEST, ()))
    return state


def next_state(before: bytes, envelope: bytes, wraps: bytes, account: UUID) -> AccountState:
    """The state that follows another: counted, chained, by the same keys or by those that these name."""
    state = _state(envelope, wraps, account)
    with refusing():
        old = open_state(before)
        require((state.counter, state.previous) == (old.counter + 1, digest(before)))
        check_succession(old.identity, state)
    costs = ((each.memory_kib, each.passes, each.lanes) for each in (old.kdf, state.kdf))
    if any(now < was for was, now in zip(*costs, strict=True)):
        raise WeakSealedPassword
    return state


def state_of(envelope: bytes) -> AccountState:
    """A state that we have kept."""
    with refusing():
        return open_state(envelope)


def _state(envelope: bytes, wraps: bytes, account: UUID) -> AccountState:
    with refusing():
        state = open_state(envelope)
        require(state.identity.account == account and state.wraps_digest == digest(wraps))
        for box in unpack_exactly(wraps, 3):
            key_id_of(box)
    return state


def box_of(blob: bytes) -> None:
    """See that something is a box of suite LV1."""
    with refusing():
        key_id_of(blob)


def first_list(vault: UUID, envelope: bytes, owner: PublicIdentity) -> MemberList:
    """The first list of a vault: its owner alone."""
    with refusing():
        [first] = verified_chain(vault, [envelope])
    require(first.members[0].identity == owner)
    return first


def kept_list(envelope: bytes) -> MemberList:
    """A list that we have kept."""
    with refusing():
        return open_list(envelope)[0]


def next_list(before: MemberList, envelope: bytes, signer: UUID) -> MemberList:
    """The list that follows another, signed by who sends it, within their role."""
    with refusing():
        after, signature = open_list(envelope)
        require(after.vault == before.vault and after.signer == signer)
        before.member(signer).identity.verify(MEMBERS, after.body(), signature)
        check_successor(before, after)
    return after


def check_wraps(wraps: Mapping[UUID, bytes], for_whom: Collection[Member], by: Collection[MemberList]) -> None:
    """That each of these members, and nobody else, gets the key of the newest list's epoch, from its signer."""
    if wraps.keys() != {each.identity.account for each in for_whom}:
        raise WrapsIncomplete
    newest = max(by, key=lambda each: each.counter)
    signers = {each.member(newest.signer).identity for each in by if each.has(newest.signer)}
    for each in for_whom:
        _check_wrap(wraps[each.identity.account], newest, each.identity, signers)


def _check_wrap(wrap: bytes, newest: MemberList, recipient: PublicIdentity, signers: set[PublicIdentity]) -> None:
    with refusing():
        body, signature = read_envelope(wrap)
        sender, place, sealed = unpack_exactly(body, 3)
        require(to_id(sender) == newest.signer)
        require(place == wrap_place(newest.signer, recipient, newest.vault, newest.epoch))
        require(len(sealed) == HPKE_OVERHEAD + SECRET_BYTES)
        require(any(_signed_by(each, body, signature) for each in signers))


def _signed_by(identity: PublicIdentity, body: bytes, signature: bytes) -> bool:
    try:
        identity.verify(WRAP, body, signature)
    except Tampered:
        return False
    return True


def check_link(link: bytes, epoch: int) -> None:
    """That the key of the epoch before stands under the key of this one."""
    with refusing():
        require(key_id_of(link) == number(epoch) and len(link) == OVERHEAD_BYTES + SECRET_BYTES)


def check_closing(closing: bytes, signed: bytes, present: Mapping[UUID, tuple[int, bytes]]) -> None:
    """That the last revisions of an epoch are those that there are: number and digest of each item's newest."""
    with refusing():
        require(digest(closing) == signed)
        entries = [unpack_exactly(entry, 3) for entry in unpack(closing)]
        told = {to_id(item): (to_number(revision), last) for item, revision, last in entries}
    require(len(told) == len(entries) and told == dict(present))


def next_revision(content: bytes, vault: UUID, item: UUID, author: Member, under: MemberList) -> Revision:
    """A revision that this member signed now, under the newest list; what precedes it is not looked at.

    Raises `StaleRevision` for one that was made before the newest list was there.
    """
    with refusing():
        one = read_revision(content)
        if one.members_counter < under.counter:
            raise StaleRevision
        require((one.vault, one.item, one.schema) == (vault, item, SCHEMA))
        require((one.author, one.members_counter) == (author.identity.account, under.counter))
        one.verify(author.identity)
        one.key_id()
    return one


def check_chained(one: Revision, revision: int, previous: bytes) -> None:
    """That a revision follows the one before, whose body has this digest."""
    require((one.revision, one.previous) == (revision, previous))


def boxes_of_keys(keys: bytes, epoch: int) -> int:
    """How many keys of an item these are, if all stand under the key of this epoch."""
    with refusing():
        require(epoch_of(keys) == epoch)
        return len(unpack(keys[len(SUITE_BYTES) :]))


def check_chunk(chunk: bytes) -> None:
    """See that a chunk is of suite LV1."""
    with refusing():
        check_suite(chunk)
