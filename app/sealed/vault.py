"""One sealed vault in the hands of a member: people, epochs, items, files, search."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from uuid import UUID

from app.sealed import due
from app.sealed.box import SECRET_BYTES
from app.sealed.contacts import check_contact
from app.sealed.encoding import NO_DIGEST, digest
from app.sealed.errors import KeyNotVerified, NotAllowed
from app.sealed.files import LARGEST_CHUNK, FileRef, new_file_ref, open_file, seal_file
from app.sealed.identity import Identity, KeyHolder, PublicIdentity
from app.sealed.items import CLOCK_BYTES, Items
from app.sealed.keyring import check_pin, open_keyring, own_entry, read_lists, seal_link
from app.sealed.members import MANAGERS, Member, MemberList, Role, check_successor, key_check, loses_rights
from app.sealed.names import chain_name, chunk_name, clock_name, closing_name, members_name, wrap_name
from app.sealed.pins import Pins
from app.sealed.search import ItemIndex
from app.sealed.transport import Transport
from app.sealed.wrap import wrap_epoch_key

Changes = dict[str, bytes | None]


def create_vault(transport: Transport, account: KeyHolder, vault: UUID) -> None:
    """The first list, with its owner alone, and the first key."""
    secret, owner = os.urandom(SECRET_BYTES), account.identity
    members = (Member(owner.public, Role.OWNER),)
    first = MemberList(vault, 1, NO_DIGEST, 1, key_check(vault, 1, secret), NO_DIGEST, members, account.id)
    changes: dict[str, bytes | None] = {
        members_name(vault, 1): first.envelope(owner),
        wrap_name(vault, 1, account.id): wrap_epoch_key(owner, owner.public, vault, 1, secret),
        clock_name(vault): os.urandom(CLOCK_BYTES),
    }
    transport.put(changes, dict.fromkeys(changes))


class SealedVault:
    """An opened vault; `refresh` reads what others changed. Pins are taken over as things are verified."""

    def __init__(self, transport: Transport, account: KeyHolder, pins: Pins, vault: UUID) -> None:
        """Raises `KeyNotVerified` for a vault never joined, and what `refresh` raises."""
        if vault not in pins.vaults:
            raise KeyNotVerified
        self.id = vault
        self._transport, self._account, self._pins = transport, account, pins
        self.refresh()

    def refresh(self) -> None:
        """Read lists and keys anew. Raises `RolledBack`, `Tampered`, `NotAllowed`, `Missing`."""
        lists = read_lists(self._transport, self.id)
        check_pin(lists, self._pins.vaults[self.id])
        self.keyring = open_keyring(self._transport, self._account, self.id, lists)
        self._pins.vaults[self.id] = self.keyring.pin()
        self.items = Items(self._transport, self._account, self._pins, self.keyring)

    @property
    def members(self) -> tuple[Member, ...]:
        """Who belongs to it now."""
        return self.keyring.head.members

    def add_member(self, account: UUID, role: Role) -> None:
        """Let in a person whose fingerprint was compared. Raises `KeyNotVerified`, `KeyChanged`,
        `NotAllowed`, `Conflict`.
        """
        self._admit(check_contact(self._transport, self._pins, account), role)

    def add_legacy(self, plan: PublicIdentity) -> None:
        """Let the keys of a legacy plan read, in this epoch and all later ones. Raises `NotAllowed`, `Conflict`."""
        self._admit(plan, Role.VIEWER)

    def _admit(self, person: PublicIdentity, role: Role) -> None:
        after, me = self._next((*self.members, Member(person, role))), self._signer()
        wrap = wrap_epoch_key(me, person, self.id, after.epoch, self.keyring.secret)
        self._put_list(after, {wrap_name(self.id, after.epoch, person.account): wrap})

    def change_role(self, account: UUID, role: Role) -> int:
        """Whoever may not write any more ends the epoch, like whoever leaves; returns how many items moved.

        Raises `NotAllowed`, `Missing`, `Conflict`.
        """
        self.keyring.head.member(account)
        members = tuple(replace(each, role=role) if each.identity.account == account else each for each in self.members)
        if not loses_rights(self.members, members):
            self._put_list(self._next(members), {})
            return 0
        self._new_epoch(members)
        return self.finish_epoch()

    def remove_member(self, account: UUID) -> int:
        """Take a person out and move to a new key; returns how many items moved. Raises `NotAllowed`, `Conflict`.

        If it is cut off after the first step the person is out already, and `finish_epoch` does the rest.
        """
        self.keyring.head.member(account)
        self._new_epoch(tuple(each for each in self.members if each.identity.account != account))
        return self.finish_epoch()

    def renew_key(self) -> int:
        """A new epoch with the same members; returns how many items moved. Raises `NotAllowed`, `Conflict`."""
        self._new_epoch(self.members)
        return self.finish_epoch()

    def finish_epoch(self) -> int:
        """Move item keys that still stand under an older key, then forget that key; may be repeated at any time."""
        moved = self.items.rewrap()
        old = [epoch for epoch in self.keyring.secrets if epoch < self.keyring.head.epoch]
        if old:
            self._transport.put({chain_name(self.id, epoch): None for epoch in old}, {})
        return moved

    def adopt_new_keys(self) -> None:
        """After a rotation of our own keys: list the new ones, then leave the epoch whose key the old ones opened.

        Members who can't begin an epoch leave that to a manager. May be cut off and repeated.
        """
        entry, _ = own_entry(self._account, self.keyring.head)
        mine = self._account.identity
        if entry.identity != mine.public:
            changed = (replace(each, identity=mine.public) if each == entry else each for each in self.members)
            after = self._next(tuple(changed))
            wrap = wrap_epoch_key(mine, mine.public, self.id, after.epoch, self.keyring.secret)
            self._put_list(after, {wrap_name(self.id, after.epoch, mine.account): wrap})
        if entry.role in MANAGERS and self._old_keys_open_epoch():
            self.renew_key()

    def _old_keys_open_epoch(self) -> bool:
        lists = (each for each in self.keyring.lists if each.epoch == self.keyring.head.epoch)
        mine = (each.member(self._account.id).identity for each in lists if each.has(self._account.id))
        return any(each != self._account.identity.public for each in mine)

    def put_file(self, source: Iterable[bytes], chunk_size: int = LARGEST_CHUNK) -> FileRef:
        """Seal and store a file; keep the reference as a field of an item (`to_text`)."""
        ref, size = new_file_ref(chunk_size), 0
        for index, chunk, length in seal_file(self.id, ref, source):
            name = chunk_name(self.id, ref.file, index)
            self._transport.put({name: chunk}, {name: None})
            size += length
        return replace(ref, size=size)

    def open_file(self, ref: FileRef) -> Iterator[bytes]:
        """The plaintext in chunks. Raises `Missing`, `Tampered`, `UnsupportedSuite`."""
        names = (chunk_name(self.id, ref.file, index) for index in range(ref.chunks))
        return open_file(self.id, ref, map(self._transport.get, names))

    def verify(self, files: Iterable[FileRef] = ()) -> int:
        """Open every revision of every item, and these files; returns how many revisions. Raises what it meets."""
        self.refresh()
        revisions = sum(len(self.items.history(item)) for item in self.items.ids())
        for ref in files:
            for _ in self.open_file(ref):
                pass
        return revisions

    def index(self) -> ItemIndex:
        """A search index over the items that are not deleted."""
        index = ItemIndex()
        for item in self.items.ids():
            if not self.items.is_deleted(item):
                index.add(item, self.items.open(item))
        return index

    def due_tokens(self, first: date, days: int) -> list[bytes]:
        """The tokens of a window of days in the present epoch."""
        return due.due_window(due.day_key(self.id, self.keyring.head.epoch, self.keyring.secret), first, days)

    def _signer(self) -> Identity:
        return own_entry(self._account, self.keyring.head)[1]

    def _next(self, members: tuple[Member, ...]) -> MemberList:
        head = self.keyring.head
        return replace(head, counter=head.counter + 1, previous=head.digest(), members=members, signer=self._account.id)

    def _new_epoch(self, members: tuple[Member, ...]) -> None:
        clock = self._transport.get(clock_name(self.id))  # before the closing: a later write makes this a Conflict
        before, me = self.keyring.head, self._signer()
        if before.member(me.account).role not in MANAGERS:
            raise NotAllowed
        epoch, secret, closing = before.epoch + 1, os.urandom(SECRET_BYTES), self.items.closing()
        after = replace(
            self._next(members), epoch=epoch, key_check=key_check(self.id, epoch, secret), closing=digest(closing)
        )
        changes: Changes = {
            chain_name(self.id, before.epoch): seal_link(self.id, before.epoch, self.keyring.secret, secret),
            closing_name(self.id, before.epoch): closing,
        }
        for each in members:
            name = wrap_name(self.id, epoch, each.identity.account)
            changes[name] = wrap_epoch_key(me, each.identity, self.id, epoch, secret)
        for each in before.members:
            changes[wrap_name(self.id, before.epoch, each.identity.account)] = None
        self._put_list(after, changes, {clock_name(self.id): digest(clock)})

    def _put_list(self, after: MemberList, changes: Changes, expected: Changes | None = None) -> None:
        check_successor(self.keyring.head, after)
        if len({each.identity.account for each in after.members}) != len(after.members):
            raise NotAllowed
        name = members_name(self.id, after.counter)
        changes = changes | {name: after.envelope(self._signer()), clock_name(self.id): os.urandom(CLOCK_BYTES)}
        self._transport.put(changes, {name: None} | (expected or {}))
        self.refresh()
