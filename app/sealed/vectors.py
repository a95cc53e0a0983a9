"""The published vectors of suite LV1: `python -m app.sealed.vectors` writes `vectors.json` beside this file.

Everything in them is made from fixed secrets and nonces, so that writing them again changes nothing. Bytes are hex.
"""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.sealed import account as accounts
from app.sealed import due, item_keys, keyring, members, revision, state, wrap
from app.sealed.box import KEY_ID_BYTES, NONCE_BYTES, SUITE_BYTES, Key, seal_with_nonce
from app.sealed.encoding import NO_DIGEST, digest, number, pack
from app.sealed.files import SMALLEST_CHUNK, FileCipher
from app.sealed.hpke import seal_with_ephemeral
from app.sealed.identity import Identity
from app.sealed.kdf import KdfParameters, password_root, split_root
from app.sealed.members import Member, MemberList, Role
from app.sealed.revision import Place, Revision
from app.sealed.spelling import recovery_text
from app.sealed.state import AccountState
from app.sealed.wrap import wrap_place

PATH = Path(__file__).with_name("vectors.json")
ALICE, BOB = UUID("0190a1b2-0000-7000-8000-00000000a11c"), UUID("0190a1b2-0000-7000-8000-000000000b0b")
VAULT, ITEM = UUID("0190a1b2-0000-7000-8000-0000000fa017"), UUID("0190a1b2-0000-7000-8000-0000000017e3")
FILE = UUID("0190a1b2-0000-7000-8000-00000000f11e")
SPOKEN = "Zoe\u0308 keeps 3 keys \U0001f511"  # to be normalised: e and a combining diaeresis
Vector = dict[str, Any]


def fixed(name: str, length: int = 32) -> bytes:
    """Bytes that stand for random ones."""
    return hashlib.shake_256(b"LV1 vector " + name.encode()).digest(length)


def key(name: str) -> Key:
    """A key with fixed id and secret."""
    return Key(fixed(f"{name} id", KEY_ID_BYTES), fixed(name))


def identity(account: UUID, name: str) -> Identity:
    """Fixed key pairs of a person."""
    signing = Ed25519PrivateKey.from_private_bytes(fixed(f"{name} signing"))
    return Identity(account, signing, X25519PrivateKey.from_private_bytes(fixed(f"{name} exchange")))


def build() -> Vector:
    """All vectors."""
    return {
        "suite": "LV1",
        "kdf": kdf_vector(),
        "recovery": recovery_vector(),
        "fingerprints": [fingerprint_vector(ALICE, "alice"), fingerprint_vector(BOB, "bob")],
        "boxes": box_vectors(),
        "envelopes": envelope_vectors(),
        "wrap": wrap_vector(),
        "chunks": chunk_vectors(),
        "due": due_vector(),
        "refused": refused_vectors(),
    }


def kdf_vector() -> Vector:
    """A password, its Argon2id root and the two keys."""
    parameters = KdfParameters(fixed("salt", 16))
    root = password_root(SPOKEN, parameters)
    keys = split_root(root, ALICE)
    return {
        "password": SPOKEN,
        "account": str(ALICE),
        "salt": parameters.salt.hex(),
        "memory_kib": parameters.memory_kib,
        "passes": parameters.passes,
        "lanes": parameters.lanes,
        "root": root.hex(),
        "authentication": keys.authentication.hex(),
        "unwrap": keys.unwrap.hex(),
    }


def recovery_vector() -> Vector:
    """A recovery key as printed, and what is derived from it."""
    secret = fixed("recovery")
    return {
        "secret": secret.hex(),
        "text": recovery_text(secret),
        "account": str(ALICE),
        "authentication": accounts.recovery_authentication(secret, ALICE).hex(),
    }


def fingerprint_vector(account: UUID, name: str) -> Vector:
    """Public keys and their words."""
    public = identity(account, name).public
    return {
        "account": str(account),
        "signing": public.signing.hex(),
        "exchange": public.exchange.hex(),
        "words": public.fingerprint,
    }


def box_vector(name: str, by: Key, purpose: str, place: tuple[bytes, ...], plaintext: bytes) -> Vector:
    """One box and all that makes it."""
    nonce = fixed(f"{name} nonce", NONCE_BYTES)
    return {
        "name": name,
        "key_id": by.id.hex(),
        "secret": by.secret.hex(),
        "purpose": purpose,
        "place": [part.hex() for part in place],
        "nonce": nonce.hex(),
        "plaintext": plaintext.hex(),
        "box": seal_with_nonce(by, purpose, *place, plaintext=plaintext, nonce=nonce).hex(),
    }


def box_vectors() -> list[Vector]:
    """Records, and every kind of wrapped key."""
    secret, kdf = key("account secret"), KdfParameters(fixed("salt", 16))
    epoch = [Key(number(each), fixed(f"epoch {each}")) for each in (1, 2)]
    title, empty = Place(VAULT, ITEM, "title", 1), Place(VAULT, ITEM, "", 2)
    item_key = number(1) + key("item").to_bytes()
    password = Key(digest(kdf.to_bytes())[:KEY_ID_BYTES], fixed("unwrap"))
    return [
        box_vector("title", key("item"), revision.RECORD, title.parts(), "Reisepass Zoë".encode()),
        box_vector("no fields", key("item"), revision.RECORD, empty.parts(), b""),
        box_vector("item key", epoch[0], item_keys.PURPOSE, (VAULT.bytes, ITEM.bytes), item_key),
        box_vector("epoch link", epoch[1], keyring.CHAIN, (VAULT.bytes, number(1)), epoch[0].secret),
        box_vector("password", password, accounts.PASSWORD, (ALICE.bytes, kdf.to_bytes()), secret.to_bytes()),
        box_vector("recovery", key("by recovery"), accounts.RECOVERY, (ALICE.bytes,), secret.to_bytes()),
    ]


def envelope_vector(purpose: str, by: Identity, body: bytes) -> Vector:
    """A signed body."""
    return {
        "purpose": purpose,
        "signing": by.public.signing.hex(),
        "body": body.hex(),
        "envelope": by.envelope(purpose, body).hex(),
    }


def envelope_vectors() -> list[Vector]:
    """A state, a list of members and a revision."""
    alice, bob = identity(ALICE, "alice"), identity(BOB, "bob")
    first = AccountState(alice.public, 1, KdfParameters(fixed("salt", 16)), fixed("wraps"))
    people = (Member(alice.public, Role.OWNER), Member(bob.public, Role.VIEWER))
    check = members.key_check(VAULT, 1, fixed("epoch 1"))
    both = MemberList(VAULT, 2, fixed("list 1"), 1, check, NO_DIGEST, people, ALICE)
    title = seal_with_nonce(
        key("item"), revision.RECORD, *Place(VAULT, ITEM, "title", 1).parts(), plaintext=b"Will", nonce=bytes(12)
    )
    one = Revision(VAULT, ITEM, 1, 1, NO_DIGEST, 2, ALICE, False, (title,))
    return [
        envelope_vector(state.PURPOSE, alice, first.body()),
        envelope_vector(members.PURPOSE, alice, both.body()),
        envelope_vector(revision.PURPOSE, alice, one.body()),
    ]


def wrap_vector() -> Vector:
    """The key of an epoch from Alice to Bob."""
    alice, bob = identity(ALICE, "alice"), identity(BOB, "bob")
    place, ephemeral = wrap_place(ALICE, bob.public, VAULT, 1), X25519PrivateKey.from_private_bytes(fixed("ephemeral"))
    sealed = seal_with_ephemeral(ephemeral, bob.public.exchange, place, fixed("epoch 1"))
    return {
        "sender": {"account": str(ALICE), "signing": alice.public.signing.hex()},
        "recipient": {
            "account": str(BOB),
            "private": bob.exchange.private_bytes_raw().hex(),
            "exchange": bob.public.exchange.hex(),
        },
        "vault": str(VAULT),
        "epoch": 1,
        "secret": fixed("epoch 1").hex(),
        "key_check": members.key_check(VAULT, 1, fixed("epoch 1")).hex(),
        "envelope": alice.envelope(wrap.PURPOSE, pack(ALICE.bytes, place, sealed)).hex(),
    }


def chunk_vectors() -> Vector:
    """A file of one full chunk, of which the digest is given, and a short one."""
    secret, full = fixed("file"), bytes(index % 251 for index in range(SMALLEST_CHUNK))
    cipher = FileCipher(VAULT, FILE, secret, SMALLEST_CHUNK)
    return {
        "vault": str(VAULT),
        "file": str(FILE),
        "secret": secret.hex(),
        "chunk_size": SMALLEST_CHUNK,
        "first": {"plaintext": "byte i is i mod 251", "digest": digest(cipher.seal(0, full, last=False)).hex()},
        "last": {"plaintext": b"the end".hex(), "chunk": cipher.seal(1, b"the end", last=True).hex()},
    }


def due_vector() -> Vector:
    """The token of a day."""
    day_key = due.day_key(VAULT, 1, fixed("epoch 1"))
    return {
        "vault": str(VAULT),
        "epoch": 1,
        "secret": fixed("epoch 1").hex(),
        "day": "2027-03-31",
        "token": due.due_token(day_key, date(2027, 3, 31)).hex(),
    }


def refused_vectors() -> list[Vector]:
    """Boxes that no client may open."""
    good = box_vectors()[0]
    box, other = bytes.fromhex(good["box"]), Place(VAULT, ITEM, "number", 1)
    flipped = box[:-1] + bytes([box[-1] ^ 1])
    elsewhere = [part.hex() for part in other.parts()]
    changes: dict[str, Vector] = {
        "version": {"box": (b"\x02" + box[1:]).hex()},
        "suite": {"box": (SUITE_BYTES[:1] + b"\x00" + box[2:]).hex()},
        "another field": {"place": elsewhere},
        "another purpose": {"purpose": item_keys.PURPOSE},
        "another key id": {"key_id": fixed("another", KEY_ID_BYTES).hex()},
        "another secret": {"secret": fixed("another").hex()},
        "flipped bit": {"box": flipped.hex()},
        "trailing byte": {"box": (box + b"\x00").hex()},
        "cut": {"box": box[:-1].hex()},
        "commitment": {"box": (box[:10] + bytes(32) + box[42:]).hex()},
    }
    return [good | {"name": name} | change for name, change in changes.items()]


def text() -> str:
    """The file as it is published."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
