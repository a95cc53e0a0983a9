"""One share as SLIP-0039 writes it, with the checksum RS1024 that finds up to three wrong words for certain.

identifier (15 bits) ‖ extendable (1) ‖ iteration exponent (4) ‖ group index, threshold, count (4 each) ‖
member index, threshold (4 each) ‖ value, padded with zeros on the left ‖ checksum (30)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.nominees.shamir.errors import DamagedShare
from app.nominees.shamir.words import RADIX_BITS, from_words, to_words

HEADER_WORDS = 4
CHECKSUM_WORDS = 3
LEAST_SECRET_BYTES = 16
MOST_SECRET_BYTES = 64
MOST_PADDING_BITS = 8
FIELD_BITS = (15, 1, 4, 4, 4, 4, 4, 4)  # of the header
WORD_MASK = (1 << RADIX_BITS) - 1
GENERATOR = (
    0x00E0E040,
    0x01C1C080,
    0x03838100,
    0x07070200,
    0x0E0E0009,
    0x1C0C2412,
    0x38086C24,
    0x3090FC48,
    0x21B1F890,
    0x03F3F120,
)


@dataclass(frozen=True, slots=True)
class ShareSet:
    """What all shares of one secret have in common."""

    identifier: int
    extendable: bool
    exponent: int
    group_threshold: int
    group_count: int


@dataclass(frozen=True, slots=True)
class Share:
    """One member's part. `value` is secret."""

    of: ShareSet
    group: int
    member: int
    member_threshold: int
    value: bytes

    def __repr__(self) -> str:
        return f"Share({self.of.identifier}, group {self.group}, member {self.member})"

    def words(self) -> str:
        """As it stands on a sheet."""
        data = [*_split(self._header(), HEADER_WORDS), *_split(int.from_bytes(self.value), _value_words(self.value))]
        return to_words([*data, *_checksum(data, extendable=self.of.extendable)])

    def _header(self) -> int:
        of = self.of
        fields = (
            of.identifier,
            of.extendable,
            of.exponent,
            self.group,
            of.group_threshold - 1,
            of.group_count - 1,
            self.member,
            self.member_threshold - 1,
        )
        header = 0
        for field, bits in zip(fields, FIELD_BITS, strict=True):
            header = header << bits | field
        return header


def read_share(text: str) -> Share:
    """A share from its words. Raises `UnknownWord`, `DamagedShare`."""
    numbers = from_words(text)
    value_words = len(numbers) - HEADER_WORDS - CHECKSUM_WORDS
    padding = value_words * RADIX_BITS % 16  # secrets are whole numbers of 16 bits
    length = (value_words * RADIX_BITS - padding) // 8
    if not LEAST_SECRET_BYTES <= length <= MOST_SECRET_BYTES or padding > MOST_PADDING_BITS:
        raise DamagedShare("a sheet has 20 words or more; one is missing, or there is one too many")
    fields = _fields(_join(numbers[:HEADER_WORDS]))
    if _polymod(_customization(extendable=bool(fields[1])), numbers) != 1:
        raise DamagedShare("the words don't fit together; compare each with the sheet")
    value = _join(numbers[HEADER_WORDS:-CHECKSUM_WORDS])
    of = ShareSet(fields[0], bool(fields[1]), fields[2], fields[4] + 1, fields[5] + 1)
    if value >> 8 * length or of.group_threshold > of.group_count or fields[3] >= of.group_count:
        raise DamagedShare("the words fit together but are no share")
    return Share(of, fields[3], fields[6], fields[7] + 1, value.to_bytes(length))


def _fields(header: int) -> list[int]:
    fields = []
    for bits in reversed(FIELD_BITS):
        fields.append(header & (1 << bits) - 1)
        header >>= bits
    return fields[::-1]


def _value_words(value: bytes) -> int:
    return -(-8 * len(value) // RADIX_BITS)


def _split(number: int, count: int) -> list[int]:
    return [number >> RADIX_BITS * place & WORD_MASK for place in reversed(range(count))]


def _join(numbers: Sequence[int]) -> int:
    joined = 0
    for number in numbers:
        joined = joined << RADIX_BITS | number
    return joined


def _customization(*, extendable: bool) -> bytes:
    return b"shamir_extendable" if extendable else b"shamir"


def _checksum(data: Sequence[int], *, extendable: bool) -> list[int]:
    zeros = [0] * CHECKSUM_WORDS
    return _split(_polymod(_customization(extendable=extendable), [*data, *zeros]) ^ 1, CHECKSUM_WORDS)


def _polymod(customization: bytes, numbers: Iterable[int]) -> int:
    """The remainder of the Reed-Solomon code over GF(1024); the same steps for every value."""
    remainder = 1
    for number in (*customization, *numbers):
        top = remainder >> 20
        remainder = (remainder & 0xFFFFF) << RADIX_BITS ^ number
        for bit, term in enumerate(GENERATOR):
            remainder ^= term & -(top >> bit & 1)
    return remainder
