"""The keys of an item under the key of the vault's epoch; moving to a new epoch touches only these."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.sealed.box import SUITE_BYTES, Key, check_suite, key_id_of, new_key, seal, unseal
from app.sealed.encoding import NUMBER_BYTES, number, pack, to_number, unpack
from app.sealed.errors import Conflict, Missing, Tampered

PURPOSE = "item key"


@dataclass(frozen=True, slots=True)
class ItemKey:
    """A key and the epoch in which it was made; members who left know keys born before."""

    key: Key
    born: int


def new_item_key(epoch: int) -> ItemKey:
    """Random, for all revisions of one item in one epoch."""
    return ItemKey(new_key(), epoch)


def wrap_item_keys(vault: UUID, item: UUID, epoch: int, secret: bytes, keys: tuple[ItemKey, ...]) -> bytes:
    """The blob that holds the keys of one item, the newest last."""
    by = Key(number(epoch), secret)
    return SUITE_BYTES + pack(
        *(
            seal(by, PURPOSE, vault.bytes, item.bytes, plaintext=number(each.born) + each.key.to_bytes())
            for each in keys
        )
    )


def epoch_of(blob: bytes) -> int:
    """The epoch under whose key the item keys stand. Raises `UnsupportedSuite`, `Tampered`."""
    epochs = {to_number(key_id_of(each)) for each in _boxes(blob)}
    if len(epochs) != 1:
        raise Tampered
    return epochs.pop()


def open_item_keys(vault: UUID, item: UUID, secrets: Mapping[int, bytes], blob: bytes) -> tuple[ItemKey, ...]:
    """The keys of one item.

    Raises `Conflict` for an epoch that began after we looked, `Missing` for one whose key is forgotten, `Tampered`,
    `UnsupportedSuite`.
    """
    epoch = epoch_of(blob)
    if epoch not in secrets:
        raise Conflict if epoch > max(secrets) else Missing
    by = Key(number(epoch), secrets[epoch])
    keys = tuple(_read(unseal(by, PURPOSE, vault.bytes, item.bytes, box=each)) for each in _boxes(blob))
    if any(each.born > epoch for each in keys):
        raise Tampered  # who has left could pass off a key of theirs as new
    return keys


def _boxes(blob: bytes) -> list[bytes]:
    check_suite(blob)
    return unpack(blob[len(SUITE_BYTES) :])


def _read(data: bytes) -> ItemKey:
    return ItemKey(Key.from_bytes(data[NUMBER_BYTES:]), to_number(data[:NUMBER_BYTES]))
