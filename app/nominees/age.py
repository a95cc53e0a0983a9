"""Files for one recipient in the format age v1 (https://c2sp.org/age), which the stock program `age` opens, too.

An X25519 recipient; the payload in chunks of 64 KiB under ChaCha20-Poly1305. A stanza of our own, which others pass
over, says which set of sheets opens the file.
"""

import base64
import hmac
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = "age-encryption.org/v1"
X25519: Final = "X25519"
WRAP: Final = f"{VERSION}/{X25519}".encode()
SET: Final = "lifevault-legacy-set"
CHUNK_BYTES: Final = 64 * 1024
TAG_BYTES: Final = 16
NONCE_BYTES: Final = 16
FILE_KEY_BYTES: Final = 16
LONGEST_HEADER: Final = 64 * 1024
COLUMNS: Final = 64
BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"  # BIP-0173
BECH32_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


class NotOpened(Exception):
    """Not a file of this format, not for this key, cut, or altered."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the payload: stanzas (arguments and body), and what the MAC is over."""

    stanzas: list[tuple[list[str], bytes]]
    signed: bytes
    mac: bytes

    @property
    def set_id(self) -> UUID:
        """The set of sheets that opens the file. Raises `NotOpened`."""
        for arguments, _ in self.stanzas:
            if arguments[0] == SET and len(arguments) == 2:
                return _uuid(arguments[1])
        raise NotOpened


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotOpened from None


async def seal(recipient: bytes, set_id: UUID, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The file for a recipient (an X25519 public key), from pieces of whatever length."""
    file_key, nonce = os.urandom(FILE_KEY_BYTES), os.urandom(NONCE_BYTES)
    yield _header(file_key, recipient, set_id) + nonce
    cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    index, waiting = 0, bytearray()
    async for piece in pieces:
        waiting += piece
        while len(waiting) > CHUNK_BYTES:  # a full chunk waits for one byte more, for it may be the last
            yield cipher.encrypt(_nonce(index, last=False), bytes(waiting[:CHUNK_BYTES]), None)
            del waiting[:CHUNK_BYTES]
            index += 1
    yield cipher.encrypt(_nonce(index, last=True), bytes(waiting), None)


def _header(file_key: bytes, recipient: bytes, set_id: UUID) -> bytes:
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    wrap_key = _derive(ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient)), share + recipient, WRAP)
    body = ChaCha20Poly1305(wrap_key).encrypt(bytes(12), file_key, None)
    lines = [VERSION, f"-> {X25519} {_b64(share)}", _b64(body), f"-> {SET} {set_id}", "", "---"]
    signed = "\n".join(lines).encode()
    mac = hmac.digest(_derive(file_key, b"", b"header"), signed, "sha256")
    return signed + f" {_b64(mac)}\n".encode()


def read_header(file: BinaryIO) -> Header:
    """The header, not yet verified; the file stands behind it then. Raises `NotOpened`."""
    lines = [_line(file)]
    while not lines[-1].startswith("---"):
        lines.append(_line(file))
        if sum(map(len, lines)) > LONGEST_HEADER:
            raise NotOpened
    if lines[0] != VERSION:
        raise NotOpened
    signed = "\n".join([*lines[:-1], "---"]).encode()
    return Header(list(_stanzas(lines[1:-1])), signed, _unb64(lines[-1].removeprefix("--- ")))


def _line(file: BinaryIO) -> str:
    raw = file.readline(LONGEST_HEADER)
    if not raw.endswith(b"\n") or not raw.isascii():
        raise NotOpened
    return raw[:-1].decode()


def _stanzas(lines: list[str]) -> Iterator[tuple[list[str], bytes]]:
    rest = iter(lines)
    for line in rest:
        if not line.startswith("-> ") or not line[3:].strip():
            raise NotOpened
        body = ""
        for part in rest:
            body += part
            if len(part) < COLUMNS:
                break
        yield line[3:].split(" "), _unb64(body)


def unseal(private: bytes, header: Header, file: BinaryIO) -> Iterator[bytes]:
    """The plaintext chunk by chunk; what came before an error is genuine but incomplete. Raises `NotOpened`."""
    file_key = _file_key(X25519PrivateKey.from_private_bytes(private), header)
    mac = hmac.digest(_derive(file_key, b"", b"header"), header.signed, "sha256")
    if not hmac.compare_digest(mac, header.mac):
        raise NotOpened
    nonce = file.read(NONCE_BYTES)
    cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    index, chunk = 0, file.read(CHUNK_BYTES + TAG_BYTES)
    while True:
        following = file.read(CHUNK_BYTES + TAG_BYTES)
        yield _open(cipher, _nonce(index, last=not following), chunk)
        if not following:
            return
        index, chunk = index + 1, following


def _file_key(private: X25519PrivateKey, header: Header) -> bytes:
    recipient = private.public_key().public_bytes_raw()
    for arguments, body in header.stanzas:
        if arguments[0] == X25519 and len(arguments) == 2 and len(body) == FILE_KEY_BYTES + TAG_BYTES:
            share = _unb64(arguments[1])
            try:
                shared = private.exchange(X25519PublicKey.from_public_bytes(share))
                wrap_key = _derive(shared, share + recipient, WRAP)
                return ChaCha20Poly1305(wrap_key).decrypt(bytes(12), body, None)
            except (InvalidTag, ValueError):
                continue
    raise NotOpened


def _open(cipher: ChaCha20Poly1305, nonce: bytes, chunk: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, chunk, None)
    except (InvalidTag, ValueError):
        raise NotOpened from None


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)


def _nonce(index: int, *, last: bool) -> bytes:
    return index.to_bytes(11) + bytes([last])


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise NotOpened from None
    if _b64(data) != text:
        raise NotOpened
    return data


def recipient_text(public: bytes) -> str:
    """An X25519 public key as `age -r` takes it."""
    return _bech32("age", public)


def identity_text(private: bytes) -> str:
    """An X25519 private key as `age -i` reads it."""
    return _bech32("age-secret-key-", private).upper()


def _bech32(prefix: str, data: bytes) -> str:
    bits = int.from_bytes(data) << -len(data) * 8 % 5
    words = [bits >> shift & 31 for shift in range(5 * (-(-len(data) * 8 // 5) - 1), -1, -5)]
    expanded = [*(ord(each) >> 5 for each in prefix), 0, *(ord(each) & 31 for each in prefix)]
    check = _polymod([*expanded, *words, *[0] * 6]) ^ 1
    return f"{prefix}1" + "".join(BECH32[each] for each in [*words, *(check >> 5 * (5 - n) & 31 for n in range(6))])


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(BECH32_GENERATOR):
            check ^= term if top >> bit & 1 else 0
    return check
