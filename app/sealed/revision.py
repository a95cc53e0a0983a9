"""One revision of an item: sealed fields under a signature that says who wrote it, after what, and when in the epochs.

A revision is an envelope (signed) and its records. The first record lists the names of the fields, so that not even
these are seen; each other record is one field. Every record is bound to suite, vault, item, field, revision, schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.sealed.box import Key, key_id_of, seal, unseal
from app.sealed.encoding import NO_DIGEST, digest, number, pack, to_id, to_number, to_text, unpack, unpack_exactly
from app.sealed.errors import Tampered
from app.sealed.identity import Identity, PublicIdentity, read_envelope

PURPOSE = "revision"
RECORD = "record"
SCHEMA = 1
NAMES = ""  # the field that lists the others
_KEPT, _DELETED = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands; it opens nowhere else."""

    vault: UUID
    item: UUID
    field: str
    revision: int
    schema: int = SCHEMA

    def parts(self) -> tuple[bytes, ...]:
        """In the order of the associated data."""
        return self.vault.bytes, self.item.bytes, self.field.encode(), number(self.revision), number(self.schema)


def seal_record(key: Key, place: Place, plaintext: bytes) -> bytes:
    """One sealed field."""
    return seal(key, RECORD, *place.parts(), plaintext=plaintext)


def open_record(key: Key, place: Place, record: bytes) -> bytes:
    """The plaintext of a field at its place. Raises `UnsupportedSuite`, `Tampered`."""
    return unseal(key, RECORD, *place.parts(), box=record)


@dataclass(frozen=True, slots=True)
class Revision:
    """What is signed of a revision. `members_counter` says which list of members the author wrote under."""

    vault: UUID
    item: UUID
    revision: int
    schema: int
    previous: bytes
    members_counter: int
    author: UUID
    deleted: bool
    records: tuple[bytes, ...]
    signature: bytes = b""

    def body(self) -> bytes:
        """What is signed and chained: everything, the records by their digests."""
        return pack(
            self.vault.bytes,
            self.item.bytes,
            number(self.revision),
            number(self.schema),
            self.previous,
            number(self.members_counter),
            self.author.bytes,
            _DELETED if self.deleted else _KEPT,
            pack(*(digest(each) for each in self.records)),
        )

    def digest(self) -> bytes:
        """What the next revision and every client's pin point at."""
        return digest(self.body())

    def verify(self, author: PublicIdentity) -> None:
        """Raises `Tampered` unless the author signed it."""
        author.verify(PURPOSE, self.body(), self.signature)

    def key_id(self) -> bytes:
        """The key of the item that all records are sealed by. Raises `Tampered`."""
        ids = {key_id_of(each) for each in self.records}
        if len(ids) != 1:
            raise Tampered
        return ids.pop()

    def open(self, key: Key) -> dict[str, str]:
        """The fields in clear. Raises `UnsupportedSuite`, `Tampered`."""
        names, *records = self.records
        fields = [to_text(each) for each in unpack(open_record(key, self._place(NAMES), names))]
        if len(fields) != len(records) or len(set(fields)) != len(fields):
            raise Tampered
        pairs = zip(fields, records, strict=True)
        return {field: to_text(open_record(key, self._place(field), record)) for field, record in pairs}

    def _place(self, field: str) -> Place:
        return Place(self.vault, self.item, field, self.revision, self.schema)


def new_revision(
    author: Identity,
    key: Key,
    place: Place,
    fields: Mapping[str, str],
    *,
    previous: bytes = NO_DIGEST,
    members_counter: int,
    deleted: bool = False,
) -> bytes:
    """The blob of a revision: envelope and records, signed by its author. `place` says everything but the field."""
    if NAMES in fields:
        raise ValueError("a field needs a name")
    texts = {NAMES: pack(*(name.encode() for name in fields))} | {k: v.encode() for k, v in fields.items()}
    sealed = (
        seal_record(key, Place(place.vault, place.item, name, place.revision, place.schema), text)
        for name, text in texts.items()
    )
    one = Revision(
        place.vault,
        place.item,
        place.revision,
        place.schema,
        previous,
        members_counter,
        author.account,
        deleted,
        tuple(sealed),
    )
    return pack(author.envelope(PURPOSE, one.body()), *one.records)


def read_revision(blob: bytes) -> Revision:
    """A revision whose records are those that were signed; the signature itself is for `verify`.

    Raises `UnsupportedSuite`, `Tampered`.
    """
    envelope, *records = unpack(blob) or [b""]
    body, signature = read_envelope(envelope)
    vault, item, revision, schema, previous, counter, author, deleted, digests = unpack_exactly(body, 9)
    if unpack(digests) != [digest(each) for each in records] or not records or deleted not in (_KEPT, _DELETED):
        raise Tampered
    return Revision(
        to_id(vault),
        to_id(item),
        to_number(revision),
        to_number(schema),
        previous,
        to_number(counter),
        to_id(author),
        deleted == _DELETED,
        tuple(records),
        signature,
    )
