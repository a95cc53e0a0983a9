"""The published vectors are fresh, and an implementation in JavaScript on WebCrypto opens and makes the same bytes."""

import json
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import playwright
import pytest

from app.sealed import vectors
from app.sealed.box import new_key
from app.sealed.errors import SealedError
from app.sealed.files import FileRef, open_file
from app.sealed.identity import Identity, PublicIdentity
from app.sealed.members import Member, MemberList, Role, key_check
from app.sealed.revision import read_revision
from app.sealed.wrap import open_epoch_key

HERE = Path(__file__).parent
BUNDLED = Path(playwright.__file__).parent / "driver" / "node"
NODE = str(BUNDLED) if BUNDLED.exists() else shutil.which("node")


def node(script: str, *arguments: str, given: str = "") -> dict[str, object]:
    assert NODE, "these tests need Node.js"
    done = subprocess.run(
        [NODE, str(HERE / script), *arguments], input=given, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_published_vectors_are_what_the_code_makes():
    assert vectors.PATH.read_text() == vectors.text()


def test_webcrypto_opens_every_vector_and_refuses_what_must_be_refused():
    published = json.loads(vectors.PATH.read_text())

    counts = node("open_vectors.mjs", str(vectors.PATH))

    assert counts["box"] == len(published["boxes"])
    assert counts["refused"] == len(published["refused"]) == 10
    assert counts["envelope"] == len(published["envelopes"])
    assert {"kdf split", "recovery", "fingerprint", "wrap", "chunks", "due"} <= set(counts)


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs a Node.js that knows Argon2")
def test_another_argon2_makes_the_same_root():
    assert node("open_vectors.mjs", str(vectors.PATH))["argon2id"] == 1


def test_we_open_what_webcrypto_sealed():
    key, vault, item, author, reader = new_key(), uuid4(), uuid4(), uuid4(), Identity.new(uuid4())
    fields = {"title": "Führerschein", "number": "B072RRE2I55"}
    asked = {
        "vault": str(vault),
        "item": str(item),
        "author": str(author),
        "key_id": key.id.hex(),
        "secret": key.secret.hex(),
        "fields": fields,
        "recipient": {"account": str(reader.account), "exchange": reader.public.exchange.hex()},
    }

    made = node("seal.mjs", given=json.dumps(asked))

    by = PublicIdentity(author, bytes.fromhex(made["signing"]), bytes(32))
    revision = read_revision(bytes.fromhex(made["revision"]))
    revision.verify(by)
    assert revision.open(key) == fields

    check = key_check(vault, 1, key.secret)
    people = (Member(by, Role.OWNER), Member(reader.public, Role.VIEWER))
    one = MemberList(vault, 1, bytes(32), 1, check, bytes(32), people, author)
    assert open_epoch_key(reader, [one], vault, 1, bytes.fromhex(made["wrap"])) == key.secret

    ref = FileRef(item, key.secret, 65_536, 65_539)
    chunks = [bytes.fromhex(chunk) for chunk in made["chunks"]]
    assert b"".join(open_file(vault, ref, chunks)) == b"\x07" * 65_536 + b"end"
    with pytest.raises(SealedError):
        list(open_file(vault, ref, chunks[::-1]))
