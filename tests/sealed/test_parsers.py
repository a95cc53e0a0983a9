"""Whatever bytes a server sends, signed or not, the client answers with an error of its own and never with a crash."""

from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sealed.encoding import number, pack, to_id, to_number, to_text
from app.sealed.errors import SealedError, Tampered
from app.sealed.files import FileRef
from app.sealed.identity import Identity, PublicIdentity
from app.sealed.item_keys import epoch_of, open_item_keys
from app.sealed.members import PURPOSE as MEMBERS
from app.sealed.members import open_list, verified_chain
from app.sealed.pins import Pins
from app.sealed.revision import PURPOSE as REVISION
from app.sealed.revision import read_revision
from app.sealed.state import PURPOSE as STATE
from app.sealed.state import open_state
from app.sealed.wrap import PURPOSE as WRAP
from app.sealed.wrap import open_epoch_key

SIGNER = Identity.new(UUID(int=7))
PARTS = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([number(0), number(1), number(2**64 - 1), bytes(32), UUID(int=7).bytes, SIGNER.public.to_bytes()]),
    st.lists(st.binary(max_size=40), max_size=4).map(lambda parts: pack(*parts)),
)
BODIES = st.lists(PARTS, max_size=10).map(lambda parts: pack(*parts))


def refused(read, *given: object) -> None:
    with pytest.raises(SealedError):
        read(*given)


def refused_or_meant(kind: type[Identity | PublicIdentity], data: bytes) -> None:
    """An id and two keys of the right length are an identity, whoever wrote them."""
    with suppress(SealedError):
        assert kind.from_bytes(data).to_bytes() == data


@settings(deadline=None)
@given(st.binary(max_size=200), BODIES)
def test_bytes_of_any_kind_are_refused(noise, body):
    for data in (noise, body, b"\x01\x01" + noise, b"\x01\x01" + body):
        refused(open_state, data)
        refused(open_list, data)
        refused(read_revision, data)
        refused(epoch_of, data)
        refused(open_item_keys, uuid4(), uuid4(), {1: bytes(32)}, data)
        refused(open_epoch_key, SIGNER, [], uuid4(), 1, data)
        refused_or_meant(PublicIdentity, data)
        refused_or_meant(Identity, data)
        refused(Pins.from_bytes, data)


@settings(deadline=None)
@given(BODIES, st.lists(PARTS, min_size=5, max_size=5), st.lists(PARTS, min_size=8, max_size=9))
def test_bodies_that_somebody_signed_are_refused_all_the_same(body, state, several):
    mine = pack(SIGNER.public.to_bytes(), *state)
    for data in (body, mine, pack(*several)):
        refused(open_state, SIGNER.envelope(STATE, data))
        refused(verified_chain, UUID(int=7), [SIGNER.envelope(MEMBERS, data)])
        refused(read_revision, pack(SIGNER.envelope(REVISION, data)))
        refused(open_epoch_key, SIGNER, [], UUID(int=7), 1, SIGNER.envelope(WRAP, data))


@given(st.text(max_size=100))
def test_texts_of_any_kind_are_no_reference_to_a_file(text):
    refused(FileRef.from_text, text)


@pytest.mark.parametrize(("read", "data"), [(to_number, b"1"), (to_id, bytes(15)), (to_text, b"\xff")])
def test_numbers_ids_and_texts_are_read_strictly(read, data):
    with pytest.raises(Tampered):
        read(data)
