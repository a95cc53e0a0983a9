"""Bytes that people can read aloud and type: words for fingerprints, letters with a checksum for the recovery key."""

from app.sealed.encoding import digest
from app.sealed.errors import Mistyped

# Proquints (Wilkerson 2009, arXiv:0901.4016): 16 bits as a pronounceable word of five letters.
CONSONANTS = "bdfghjklmnprstvz"
VOWELS = "aiou"
# Crockford's base 32: no I, L, O, U; what looks alike reads alike.
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011", "- \n\t")
RECOVERY_BYTES = 32
CHECKSUM_BYTES = 3
GROUP = 4


def words(data: bytes) -> str:
    """One word for every two bytes."""
    return " ".join(_word(int.from_bytes(data[start : start + 2])) for start in range(0, len(data), 2))


def _word(bits: int) -> str:
    first, second, third = (CONSONANTS[bits >> shift & 15] for shift in (12, 6, 0))
    return first + VOWELS[bits >> 10 & 3] + second + VOWELS[bits >> 4 & 3] + third


def same_words(one: str, other: str) -> bool:
    """Whether two people hold the same words, however they wrote them."""
    return one.lower().replace("-", " ").split() == other.lower().replace("-", " ").split()


def recovery_text(secret: bytes) -> str:
    """56 letters in groups of four: 32 bytes and 24 bits of their SHA-256."""
    value = int.from_bytes(secret + digest(secret)[:CHECKSUM_BYTES])
    count = (RECOVERY_BYTES + CHECKSUM_BYTES) * 8 // 5
    letters = "".join(LETTERS[value >> 5 * place & 31] for place in reversed(range(count)))
    return "-".join(letters[start : start + GROUP] for start in range(0, count, GROUP))


def recovery_secret(text: str) -> bytes:
    """The 32 bytes of a recovery key. Raises `Mistyped`."""
    letters = text.upper().translate(_LOOKALIKES)
    if len(letters) * 5 != (RECOVERY_BYTES + CHECKSUM_BYTES) * 8 or not set(letters) <= set(LETTERS):
        raise Mistyped
    value = 0
    for letter in letters:
        value = value << 5 | LETTERS.index(letter)
    data = value.to_bytes(RECOVERY_BYTES + CHECKSUM_BYTES)
    if digest(data[:RECOVERY_BYTES])[:CHECKSUM_BYTES] != data[RECOVERY_BYTES:]:
        raise Mistyped
    return data[:RECOVERY_BYTES]
