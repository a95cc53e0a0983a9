"""The items of one opened vault: sealing, opening and checking them against signatures, epochs and pins."""

import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from uuid import UUID, uuid4

from app.sealed.encoding import NO_DIGEST, digest, number, pack, to_id, to_number, unpack, unpack_exactly
from app.sealed.errors import Missing, NotAllowed, RolledBack, Tampered
from app.sealed.identity import KeyHolder
from app.sealed.item_keys import ItemKey, epoch_of, new_item_key, open_item_keys, wrap_item_keys
from app.sealed.keyring import Keyring, own_entry
from app.sealed.members import WRITERS
from app.sealed.names import (
    clock_name,
    closing_name,
    item_keys_name,
    item_of,
    items_prefix,
    last_number,
    members_name,
    revision_name,
    revision_prefix,
)
from app.sealed.pins import Pins, Seen
from app.sealed.revision import Place, Revision, new_revision, read_revision
from app.sealed.transport import Transport

CLOCK_BYTES = 16


class Items:
    """What a client does with items, under the keyring that it has verified."""

    def __init__(self, transport: Transport, account: KeyHolder, pins: Pins, keyring: Keyring) -> None:
        self._transport = transport
        self._account = account
        self._pins = pins
        self._keyring = keyring
        self._vault = keyring.vault
        self._closings: dict[int, dict[UUID, Seen]] = {}

    def ids(self) -> list[UUID]:
        """All items, also deleted ones. Raises `RolledBack` if the server hides one that was seen before."""
        found = {item_of(name) for name in self._transport.names(items_prefix(self._vault))}
        if not set(self._pins.items.get(self._vault, {})) <= found:
            raise RolledBack
        return sorted(found)

    def put(self, fields: Mapping[str, str], item: UUID | None = None, *, deleted: bool = False) -> UUID:
        """Seal a new item, or the next revision of one. Raises `NotAllowed`, `Conflict`, and what `head` raises."""
        member, identity = own_entry(self._account, self._keyring.head)
        if member.role not in WRITERS:
            raise NotAllowed
        before = self.head(item) if item else None
        item = item or uuid4()
        keys = self._keys(item) if before else ()
        if not keys or keys[-1].born != self._keyring.head.epoch:
            keys = (*keys, new_item_key(self._keyring.head.epoch))  # nobody who has left knows this one
        place = Place(self._vault, item, "", before.revision + 1 if before else 1)
        blob = new_revision(
            identity,
            keys[-1].key,
            place,
            fields,
            previous=before.digest() if before else NO_DIGEST,
            members_counter=self._keyring.head.counter,
            deleted=deleted,
        )
        self._write(item, place.revision, keys, blob)
        self._see(read_revision(blob))
        return item

    def delete(self, item: UUID) -> None:
        """End an item by a signed revision without fields; earlier revisions stay until the vault is purged."""
        self.put({}, item, deleted=True)

    def open(self, item: UUID, revision: int | None = None) -> dict[str, str]:
        """The fields of the newest, or of an earlier revision. Raises `Missing`, `RolledBack`, `Tampered`."""
        head = self.head(item)
        if revision is None:
            return self._fields(head)
        return self._fields(self._chain(item, revision, head)[0])

    def is_deleted(self, item: UUID) -> bool:
        """Whether the newest revision ends the item."""
        return self.head(item).deleted

    def history(self, item: UUID) -> list[tuple[Revision, dict[str, str]]]:
        """Every revision with its fields, the first one first. Raises what `open` raises."""
        return [(each, self._fields(each)) for each in self._chain(item, 1, self.head(item))]

    def head(self, item: UUID) -> Revision:
        """The newest revision, verified and never older than one seen before.

        Raises `Missing`, `RolledBack`, `Tampered`, `NotAllowed`, `UnsupportedSuite`.
        """
        names = self._transport.names(revision_prefix(self._vault, item))
        pin = self._pins.item(self._vault, item)
        latest = max((last_number(name) for name in names), default=0)
        if pin and latest < pin.counter:
            raise RolledBack
        head = self._read(item, latest)
        if pin:
            self._chain(item, pin.counter, head)
        self._see(head)
        return head

    def closing(self) -> bytes:
        """The newest revisions of all items, which end an epoch: nothing older may appear under it later."""
        heads = ((item, self.head(item)) for item in self.ids())
        return pack(*(pack(item.bytes, number(head.revision), head.digest()) for item, head in heads))

    def rewrap(self) -> int:
        """Move item keys to the key of the present epoch; returns how many moved. May be cut off and repeated."""
        return sum(self._rewrap(item) for item in self.ids())

    def _rewrap(self, item: UUID) -> bool:
        name = item_keys_name(self._vault, item)
        blob, epoch = self._transport.get(name), self._keyring.head.epoch
        if epoch_of(blob) == epoch:
            return False
        moved = wrap_item_keys(self._vault, item, epoch, self._keyring.secret, self._open_keys(item, blob))
        self._transport.put({name: moved}, {name: digest(blob)} | self._unchanged_members())
        return True

    def _unchanged_members(self) -> dict[str, bytes | None]:
        return {members_name(self._vault, self._keyring.head.counter + 1): None}

    def _write(self, item: UUID, revision: int, keys: tuple[ItemKey, ...], blob: bytes) -> None:
        keys_name, clock = item_keys_name(self._vault, item), clock_name(self._vault)
        wrapped = wrap_item_keys(self._vault, item, self._keyring.head.epoch, self._keyring.secret, keys)
        name = revision_name(self._vault, item, revision)
        expected: dict[str, bytes | None] = {name: None, clock: digest(self._transport.get(clock))}
        expected[keys_name] = digest(self._transport.get(keys_name)) if revision > 1 else None
        changes = {name: blob, keys_name: wrapped, clock: os.urandom(CLOCK_BYTES)}
        self._transport.put(changes, expected | self._unchanged_members())

    def _keys(self, item: UUID) -> tuple[ItemKey, ...]:
        return self._open_keys(item, self._transport.get(item_keys_name(self._vault, item)))

    def _open_keys(self, item: UUID, blob: bytes) -> tuple[ItemKey, ...]:
        return open_item_keys(self._vault, item, self._keyring.secrets, blob)

    def _fields(self, revision: Revision) -> dict[str, str]:
        for each in self._keys(revision.item):
            if each.key.id == revision.key_id():
                if each.born != self._keyring.under(revision.members_counter).epoch:
                    raise Tampered
                return revision.open(each.key)
        raise Missing

    def _see(self, revision: Revision) -> None:
        self._pins.see_item(self._vault, revision.item, Seen(revision.revision, revision.digest()))

    def _chain(self, item: UUID, first: int, head: Revision) -> list[Revision]:
        """The revisions from the first to the head, each naming the one before it, and the pinned one among them."""
        if not 1 <= first <= head.revision:
            raise Missing
        chain = [*self._revisions(item, first, head.revision - 1), head]
        for before, after in pairwise(chain):
            if after.previous != before.digest() or after.members_counter < before.members_counter:
                raise Tampered
        pin = self._pins.item(self._vault, item)
        if pin and first <= pin.counter and chain[pin.counter - first].digest() != pin.digest:
            raise Tampered
        return chain

    def _revisions(self, item: UUID, first: int, last: int) -> Iterator[Revision]:
        return (self._read(item, each) for each in range(first, last + 1))

    def _read(self, item: UUID, revision: int) -> Revision:
        one = read_revision(self._transport.get(revision_name(self._vault, item, revision)))
        if (one.vault, one.item, one.revision) != (self._vault, item, revision):
            raise Tampered
        author = self._keyring.under(one.members_counter)
        if not author.has(one.author) or author.member(one.author).role not in WRITERS:
            raise NotAllowed
        one.verify(author.member(one.author).identity)
        if author.epoch < self._keyring.head.epoch:
            self._check_closed(one, author.epoch)
        return one

    def _check_closed(self, one: Revision, epoch: int) -> None:
        """That a revision of an ended epoch existed when that epoch ended: who left can't write any more."""
        if epoch not in self._closings:
            self._closings[epoch] = self._read_closing(epoch)
        last = self._closings[epoch].get(one.item)
        if last is None or last.counter < one.revision:
            raise Tampered
        if last.counter == one.revision and last.digest != one.digest():
            raise Tampered

    def _read_closing(self, epoch: int) -> dict[UUID, Seen]:
        blob = self._transport.get(closing_name(self._vault, epoch))
        ending = next(each for each in self._keyring.lists if each.epoch == epoch + 1)
        if digest(blob) != ending.closing:
            raise Tampered
        entries = (unpack_exactly(entry, 3) for entry in unpack(blob))
        return {to_id(item): Seen(to_number(revision), last) for item, revision, last in entries}
