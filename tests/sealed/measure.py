"""What suite LV1 costs: `python -m tests.sealed.measure`. Processor time, the best of several rounds.

The baseline of sealing is AES-256-GCM alone, with a key that is already set up.
"""

import os
import sys
import time
from collections.abc import Callable
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.nominees.shamir import open_sheets, share_among_three
from app.sealed.box import OVERHEAD_BYTES, new_key
from app.sealed.files import CHUNK_OVERHEAD_BYTES, LARGEST_CHUNK, FileCipher
from app.sealed.identity import Identity
from app.sealed.item_keys import new_item_key, open_item_keys, wrap_item_keys
from app.sealed.kdf import KdfParameters, password_root
from app.sealed.members import Member, MemberList, Role, key_check
from app.sealed.revision import Place, open_record, seal_record
from app.sealed.wrap import open_epoch_key, wrap_epoch_key

ROUNDS = 7
ITEMS = 10_000


def seconds(work: Callable[[], object], times: int) -> float:
    """Processor time of one call, in the best round."""
    measured = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            work()
        measured.append((time.process_time() - start) / times)
    return min(measured)


def say(what: str, figure: str) -> None:
    sys.stdout.write(f"{what:<58}{figure:>16}\n")


def records() -> None:
    key, place, plaintext = new_key(), Place(uuid4(), uuid4(), "number", 1), os.urandom(300)
    record, bare, nonce = seal_record(key, place, plaintext), AESGCM(os.urandom(32)), os.urandom(12)
    baseline = seconds(lambda: bare.encrypt(nonce, plaintext, b"context"), 2_000)
    for name, work in {
        "seal": lambda: seal_record(key, place, plaintext),
        "open": lambda: open_record(key, place, record),
    }.items():
        took = seconds(work, 2_000)
        say(f"{name} a record of 300 bytes", f"{took * 1e6:.1f} µs ({took / baseline:.0f}×)")
    say("overhead of a record, of a chunk", f"{OVERHEAD_BYTES} and {CHUNK_OVERHEAD_BYTES} bytes")


def keys() -> None:
    vault, one, other = uuid4(), os.urandom(32), os.urandom(32)
    items = [uuid4() for _ in range(ITEMS)]
    wrapped = {item: wrap_item_keys(vault, item, 1, one, (new_item_key(1),)) for item in items}
    start = time.process_time()
    for item, blob in wrapped.items():
        wrap_item_keys(vault, item, 2, other, open_item_keys(vault, item, {1: one}, blob))
    say(f"rewrap {ITEMS:,} item keys", f"{time.process_time() - start:.2f} s")
    alice, bob = Identity.new(uuid4()), Identity.new(uuid4())
    people = (Member(alice.public, Role.OWNER), Member(bob.public, Role.VIEWER))
    lists = [MemberList(vault, 1, bytes(32), 1, key_check(vault, 1, one), bytes(32), people, alice.account)]
    wrap = wrap_epoch_key(alice, bob.public, vault, 1, one)
    say("wrap an epoch key", f"{seconds(lambda: wrap_epoch_key(alice, bob.public, vault, 1, one), 100) * 1e6:.0f} µs")
    say("open an epoch key", f"{seconds(lambda: open_epoch_key(bob, lists, vault, 1, wrap), 100) * 1e6:.0f} µs")
    say("Argon2id of a password", f"{seconds(lambda: password_root('a password', KdfParameters()), 1) * 1e3:.0f} ms")


def files() -> None:
    cipher, chunk = FileCipher(uuid4(), uuid4(), os.urandom(32), LARGEST_CHUNK), os.urandom(LARGEST_CHUNK)
    say("seal a chunk of 1 MiB", f"{seconds(lambda: cipher.seal(0, chunk, last=True), 20) * 1e6:.0f} µs")


def sheets() -> None:
    parts = share_among_three(os.urandom(32), 2, 3)
    say("share 32 bytes on five sheets", f"{seconds(lambda: share_among_three(os.urandom(32), 2, 3), 3) * 1e3:.1f} ms")
    say("open three sheets", f"{seconds(lambda: open_sheets([parts.owner, *parts.nominees[:2]]), 3) * 1e3:.1f} ms")


if __name__ == "__main__":
    records()
    keys()
    files()
    sheets()
