"""Opening a vault: walk its lists of members from the first, compare with the pins, open the keys of its epochs."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from app.sealed.box import Key, seal, unseal
from app.sealed.encoding import number
from app.sealed.errors import Conflict, KeyNotVerified, Missing, NotAllowed, RolledBack, Tampered
from app.sealed.identity import Identity, KeyHolder
from app.sealed.members import Member, MemberList, key_check, verified_chain
from app.sealed.names import chain_name, members_name, wrap_name
from app.sealed.pins import Seen, VaultPin
from app.sealed.spelling import same_words
from app.sealed.transport import Transport
from app.sealed.wrap import open_epoch_key

CHAIN = "epoch chain"


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The verified lists of a vault and the keys of its epochs that are still needed."""

    vault: UUID
    lists: tuple[MemberList, ...]
    secrets: dict[int, bytes]

    @property
    def head(self) -> MemberList:
        """The present list."""
        return self.lists[-1]

    @property
    def secret(self) -> bytes:
        """The key of the present epoch."""
        return self.secrets[self.head.epoch]

    def under(self, counter: int) -> MemberList:
        """The list with this counter. Raises `Conflict` if it is one that we have not read yet, `Tampered`."""
        if counter > len(self.lists):
            raise Conflict
        if counter < 1:
            raise Tampered
        return self.lists[counter - 1]

    def pin(self) -> VaultPin:
        """What a client remembers of this."""
        return VaultPin(self.lists[0].digest(), Seen(self.head.counter, self.head.digest()))


def read_lists(transport: Transport, vault: UUID) -> tuple[MemberList, ...]:
    """All lists, verified from the first one. Raises `Missing`, `Tampered`, `NotAllowed`."""
    envelopes: list[bytes] = []
    while True:
        try:
            envelopes.append(transport.get(members_name(vault, len(envelopes) + 1)))
        except Missing:
            return verified_chain(vault, envelopes)


def check_pin(lists: tuple[MemberList, ...], pin: VaultPin) -> None:
    """That the lists go on from the one seen last. Raises `RolledBack`, `Tampered`."""
    if len(lists) < pin.latest.counter:
        raise RolledBack
    if (lists[0].digest(), lists[pin.latest.counter - 1].digest()) != (pin.first, pin.latest.digest):
        raise Tampered


def own_entry(account: KeyHolder, head: MemberList) -> tuple[Member, Identity]:
    """Our entry and the key pairs that belong to it. Raises `NotAllowed` if we are no member, `Tampered`."""
    if not head.has(account.id):
        raise NotAllowed
    member = head.member(account.id)
    for identity in account.identities():
        if identity.public == member.identity:
            return member, identity
    raise Tampered


def join_lists(transport: Transport, account: KeyHolder, vault: UUID, fingerprint: str) -> tuple[MemberList, ...]:
    """The lists of a vault we were let into, if one that has us was signed by whom we compared.

    That signature vouches for all lists before it, and the rules of succession for those after it.
    Raises `KeyNotVerified`, `Missing`, `Tampered`, `NotAllowed`.
    """
    lists = read_lists(transport, vault)
    own_entry(account, lists[-1])
    for before, after in pairwise((lists[0], *lists)):
        if after.has(account.id) and same_words(before.member(after.signer).identity.fingerprint, fingerprint):
            return lists
    raise KeyNotVerified


def open_keyring(transport: Transport, account: KeyHolder, vault: UUID, lists: tuple[MemberList, ...]) -> Keyring:
    """The key of the present epoch from our wrap, and those before it as far as they still stand.

    Raises `Missing`, `Tampered`, `NotAllowed`.
    """
    head, (_, identity) = lists[-1], own_entry(account, lists[-1])
    wrap = transport.get(wrap_name(vault, head.epoch, account.id))
    secret = open_epoch_key(identity, lists, vault, head.epoch, wrap)
    _check_key(lists, vault, head.epoch, secret)
    secrets = {head.epoch: secret}
    for epoch in range(head.epoch - 1, 0, -1):
        try:
            link = transport.get(chain_name(vault, epoch))
        except Missing:
            break
        secrets[epoch] = _open_link(vault, epoch, secrets[epoch + 1], link)
        _check_key(lists, vault, epoch, secrets[epoch])
    return Keyring(vault, lists, secrets)


def seal_link(vault: UUID, epoch: int, secret: bytes, next_secret: bytes) -> bytes:
    """The key of an epoch under the key of the next."""
    return seal(Key(number(epoch + 1), next_secret), CHAIN, vault.bytes, number(epoch), plaintext=secret)


def _open_link(vault: UUID, epoch: int, next_secret: bytes, link: bytes) -> bytes:
    return unseal(Key(number(epoch + 1), next_secret), CHAIN, vault.bytes, number(epoch), box=link)


def _check_key(lists: Iterable[MemberList], vault: UUID, epoch: int, secret: bytes) -> None:
    if {each.key_check for each in lists if each.epoch == epoch} != {key_check(vault, epoch, secret)}:
        raise Tampered
