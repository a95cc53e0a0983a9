"""Files of the format age, opened by an implementation that is not ours."""

import os
from collections.abc import AsyncIterator

import pyrage
import pytest

from app.core.age import CHUNK_BYTES, NoRecipient, encrypted, lock, recipient_key

pytestmark = pytest.mark.anyio


async def pieces(content: bytes, step: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), step):
        yield content[start : start + step]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 300_001])
async def test_a_recipient_opens_a_file_of_any_size(size: int):
    identity, content = pyrage.x25519.Identity.generate(), os.urandom(size)

    file = b"".join([piece async for piece in encrypted(lock(recipient=str(identity.to_public())), pieces(content))])

    assert pyrage.decrypt(file, [identity]) == content
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file, [pyrage.x25519.Identity.generate()])


async def test_a_passphrase_opens_a_file():
    content = os.urandom(100_000)

    file = b"".join([piece async for piece in encrypted(lock(passphrase="blaue Kacheln ✓"), pieces(content))])

    assert pyrage.passphrase.decrypt(file, "blaue Kacheln ✓") == content
    with pytest.raises(pyrage.DecryptError):
        pyrage.passphrase.decrypt(file, "blue tiles")


def test_a_recipient_is_checked():
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    other = "q" if recipient[-1] != "q" else "p"

    assert len(recipient_key(recipient)) == 32
    for wrong in (recipient[:-1] + other, recipient.upper(), recipient[:-1], "age1", "", "xyz1" + recipient[4:]):
        with pytest.raises(NoRecipient):
            recipient_key(wrong)
