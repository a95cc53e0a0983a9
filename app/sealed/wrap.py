"""The key of a vault's epoch, handed from one member to another: HPKE (RFC 9180) inside a signature.

HPKE in base mode says nothing about the sender, hence the signature over (sender, recipient, recipient's key, vault,
epoch, ciphertext). The same list is the HPKE info, so that neither part fits anywhere else.
"""

from collections.abc import Iterable
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from app.sealed.box import SECRET_BYTES, SUITE_BYTES
from app.sealed.encoding import number, pack, to_id, unpack_exactly
from app.sealed.errors import KeyNotVerified, Tampered
from app.sealed.identity import Identity, PublicIdentity, read_envelope
from app.sealed.members import MANAGERS, MemberList

PURPOSE = "epoch wrap"
HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def wrap_place(sender: UUID, recipient: PublicIdentity, vault: UUID, epoch: int) -> bytes:
    """What a wrap is bound to: the info of HPKE and the beginning of what is signed."""
    return pack(
        SUITE_BYTES,
        PURPOSE.encode(),
        sender.bytes,
        recipient.account.bytes,
        recipient.exchange,
        vault.bytes,
        number(epoch),
    )


def wrap_epoch_key(sender: Identity, recipient: PublicIdentity, vault: UUID, epoch: int, secret: bytes) -> bytes:
    """The signed envelope for one recipient. Raises `KeyNotVerified` for a key that nobody could receive with."""
    place = wrap_place(sender.account, recipient, vault, epoch)
    try:
        sealed = HPKE.encrypt(secret, X25519PublicKey.from_public_bytes(recipient.exchange), place)
    except ValueError:
        raise KeyNotVerified from None
    return sender.envelope(PURPOSE, pack(sender.account.bytes, place, sealed))


def open_epoch_key(recipient: Identity, lists: Iterable[MemberList], vault: UUID, epoch: int, wrap: bytes) -> bytes:
    """The key of the epoch, from somebody who was allowed to hand it out in that epoch. Raises `Tampered`."""
    body, signature = read_envelope(wrap)
    sender, place, sealed = unpack_exactly(body, 3)
    if place != wrap_place(to_id(sender), recipient.public, vault, epoch):
        raise Tampered
    of_epoch = [each for each in lists if each.epoch == epoch]
    _check_sender(to_id(sender), recipient.account, of_epoch, body, signature)
    try:
        secret = HPKE.decrypt(sealed, recipient.exchange, place)
    except (InvalidTag, ValueError):
        raise Tampered from None
    if len(secret) != SECRET_BYTES:
        raise Tampered
    return secret


def _check_sender(sender: UUID, recipient: UUID, lists: list[MemberList], body: bytes, signature: bytes) -> None:
    """Managers hand keys out; anybody may wrap for themselves, when their own keys change."""
    for member in {each.member(sender) for each in lists if each.has(sender)}:
        if (member.role in MANAGERS or sender == recipient) and _signed_by(member.identity, body, signature):
            return
    raise Tampered


def _signed_by(identity: PublicIdentity, body: bytes, signature: bytes) -> bool:
    try:
        identity.verify(PURPOSE, body, signature)
    except Tampered:
        return False
    return True
