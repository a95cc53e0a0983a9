"""An account is opened by its password or recovery key, and by nothing that a server makes up."""

from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from app.sealed.account import Wraps
from app.sealed.client import SealedClient
from app.sealed.errors import (
    Conflict,
    KeyChanged,
    KeyNotVerified,
    Mistyped,
    RolledBack,
    SealedError,
    Tampered,
    UnsupportedSuite,
    WeakKdf,
    WrongPassword,
    WrongRecoveryKey,
)
from app.sealed.identity import Identity
from app.sealed.kdf import KdfParameters, PasswordKeys, password_keys, password_root
from app.sealed.names import pins_name, state_name, verifier_names, wraps_name
from app.sealed.spelling import recovery_secret, recovery_text, same_words, words
from app.sealed.state import AccountState, open_state, succession
from app.sealed.transport import MemoryTransport
from tests.sealed.conftest import Crash, Failing, Family, Spy, password


def state_of(family: Family, name: str) -> AccountState:
    return family.accounts[name].state


def serve_state(family: Family, name: str, state: AccountState, by: Identity) -> Spy:
    """The server shows another state, signed by whomever."""
    spy = Spy(family.server.blobs)
    spy.blobs[state_name(family.accounts[name].id)] = state.envelope(by)
    return spy


def test_the_password_opens_the_account_and_its_vaults_on_a_first_device(family):
    client = SealedClient.unlock(
        family.server, family.accounts["bob"].id, password("bob"), fingerprint=family.client("bob").fingerprint
    )

    assert client.open_vault(family.vault).items.open(family.will)["title"] == "Last will"


def test_a_wrong_password_opens_nothing(family):
    with pytest.raises(WrongPassword):
        SealedClient.unlock(family.server, family.accounts["bob"].id, "guessed")


def test_a_new_password_wraps_the_same_secret_and_the_old_one_ends(family):
    before = family.client("bob")
    before.change_password("another long password")

    after = SealedClient.unlock(family.server, before.id, "another long password", before.pins)

    assert after.account.secret == family.accounts["bob"].secret
    assert after.account.wraps.recovery == family.accounts["bob"].wraps.recovery
    with pytest.raises(WrongPassword):
        SealedClient.unlock(family.server, before.id, password("bob"))


def test_the_recovery_key_opens_the_account_and_sets_a_password(family):
    account = family.accounts["bob"].id

    SealedClient.recover(family.server, account, family.recovery["bob"].lower(), "set anew")

    client = SealedClient.unlock(family.server, account, "set anew")
    assert client.open_vault(family.vault).items.open(family.will)["title"] == "Last will"


def test_a_new_recovery_key_ends_the_old_one(family):
    client = family.client("bob")
    text = client.new_recovery_key()

    with pytest.raises(WrongPassword):
        SealedClient.recover(family.server, client.id, family.recovery["bob"], "a new one")
    assert SealedClient.recover(family.server, client.id, text, "a new one").id == client.id


def test_another_persons_recovery_key_does_not_open(family):
    class Careless(MemoryTransport):
        def authenticate(self, account, key) -> None:
            """Lets everybody in."""

    with pytest.raises(WrongRecoveryKey):
        SealedClient.recover(
            Careless(family.server.blobs), family.accounts["bob"].id, family.recovery["carol"], "a new one"
        )


@given(st.binary(min_size=32, max_size=32), st.data())
def test_a_recovery_key_is_read_as_written_and_a_slip_is_found(secret, data):
    text = recovery_text(secret)
    assert recovery_secret(text.replace("-", " ").lower().replace("0", "o").replace("1", "l")) == secret

    position = data.draw(st.sampled_from([at for at, letter in enumerate(text) if letter != "-"]))
    letter = data.draw(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ".replace(text[position], "")))
    slipped = text[:position] + letter + text[position + 1 :]
    with pytest.raises(Mistyped):
        recovery_secret(slipped)


@pytest.mark.parametrize("text", ["", "0000", "0" * 56, "U" * 56, "é" * 56])
def test_what_is_no_recovery_key_is_refused(text):
    with pytest.raises(Mistyped):
        recovery_secret(text)


def test_fingerprints_are_words_that_differ_with_any_key(family):
    prints = {family.client(name).fingerprint for name in family.accounts}

    assert len(prints) == 4
    assert all(len(each.split()) == 8 for each in prints)
    assert words(bytes.fromhex("7f000001")) == "lusab babad"  # the example of the proquint paper
    assert same_words("lusab babad", " Lusab-Babad ")


def test_argon2id_is_that_of_another_implementation():
    parameters = KdfParameters(bytes(range(16)))
    theirs = Argon2id(salt=parameters.salt, length=32, iterations=3, lanes=4, memory_cost=65_536)

    assert password_root("e\u0301", parameters) == theirs.derive("\u00e9".encode())


def test_the_key_that_signs_in_is_not_the_key_that_opens():
    parameters, account = KdfParameters(bytes(16)), uuid4()
    keys = password_keys("a password", parameters, account)

    assert keys.authentication != keys.unwrap
    assert password_keys("a password", parameters, uuid4()).authentication != keys.authentication
    assert "unwrap" not in repr(keys)
    assert isinstance(keys, PasswordKeys)


@pytest.mark.parametrize(
    "weaker",
    [{"memory_kib": 65_535}, {"passes": 2}, {"lanes": 3}, {"salt": bytes(15)}, {"salt": b""}],
    ids=["memory", "passes", "lanes", "short salt", "no salt"],
)
def test_weaker_costs_are_refused_before_anything_is_computed_or_sent(family, weaker):
    bob = family.accounts["bob"]
    downgraded = replace(bob.state, kdf=replace(bob.state.kdf, **weaker))
    spy = serve_state(family, "bob", downgraded, bob.identity)

    for pins in (None, family.pins("bob")):
        with pytest.raises(WeakKdf):
            SealedClient.unlock(spy, bob.id, password("bob"), pins)
    assert spy.tried == []


@pytest.mark.parametrize("greedy", [{"memory_kib": 2**33}, {"passes": 10_000}, {"lanes": 200}])
def test_costs_that_would_exhaust_the_device_are_refused(family, greedy):
    bob = family.accounts["bob"]
    spy = serve_state(family, "bob", replace(bob.state, kdf=replace(bob.state.kdf, **greedy)), bob.identity)

    with pytest.raises(WeakKdf):
        SealedClient.unlock(spy, bob.id, password("bob"))


def test_a_salt_of_the_servers_choice_is_refused_before_the_password_is_used(family):
    bob, forger = family.accounts["bob"], Identity.new(family.accounts["bob"].id)
    chosen = replace(bob.state, identity=forger.public, kdf=KdfParameters(bytes(16)), counter=9)
    spy = serve_state(family, "bob", chosen, forger)

    with pytest.raises(KeyChanged):
        SealedClient.unlock(spy, bob.id, password("bob"), family.pins("bob"))
    with pytest.raises(KeyNotVerified):
        SealedClient.unlock(spy, bob.id, password("bob"), fingerprint=bob.identity.public.fingerprint)
    assert spy.tried == []


def test_a_first_device_without_a_fingerprint_refuses_forged_keys_once_the_password_opened_the_real_ones(family):
    bob, forger = family.accounts["bob"], Identity.new(family.accounts["bob"].id)
    spy = serve_state(family, "bob", replace(bob.state, identity=forger.public), forger)

    with pytest.raises(Tampered):
        SealedClient.unlock(spy, bob.id, password("bob"))


def test_a_state_signed_by_somebody_else_is_refused(family):
    bob = family.accounts["bob"]
    spy = serve_state(family, "bob", replace(bob.state, counter=5), family.accounts["mallory"].identity)

    with pytest.raises(Tampered):
        SealedClient.unlock(spy, bob.id, password("bob"))


def test_another_account_in_place_of_ours_is_refused(family):
    mallory = family.accounts["mallory"]
    spy = serve_state(family, "bob", mallory.state, mallory.identity)

    with pytest.raises(Tampered):
        SealedClient.unlock(spy, family.accounts["bob"].id, password("bob"))


def test_a_state_of_an_unknown_suite_is_refused(family):
    bob = family.accounts["bob"]
    family.server.blobs[state_name(bob.id)] = b"\x01\x00" + bob.envelope[2:]

    with pytest.raises(UnsupportedSuite):
        SealedClient.unlock(family.server, bob.id, password("bob"))


def test_an_old_state_is_refused_by_a_device_that_saw_a_newer_one(family):
    old = dict(family.server.blobs)
    client = family.client("bob")
    client.change_password("a newer password")

    with pytest.raises(RolledBack):
        SealedClient.unlock(MemoryTransport(old), client.id, password("bob"), client.pins)


def test_an_old_state_beside_newer_pins_is_refused_even_on_a_first_device(family):
    account = family.accounts["bob"].id
    old = dict(family.server.blobs)
    family.client("bob").change_password("a newer password")
    rolled = MemoryTransport(old | {pins_name(account): family.server.blobs[pins_name(account)]})

    with pytest.raises(RolledBack):
        SealedClient.unlock(rolled, account, password("bob"))


def test_two_states_with_the_same_counter_are_refused(family):
    bob = family.accounts["bob"]
    other = replace(bob.state, kdf=KdfParameters())

    with pytest.raises(Tampered):
        SealedClient.unlock(
            serve_state(family, "bob", other, bob.identity), bob.id, password("bob"), family.pins("bob")
        )


def test_a_replayed_wrap_of_the_old_password_is_refused(family):
    bob = family.accounts["bob"]
    family.client("bob").change_password("a newer password")
    family.server.blobs[wraps_name(bob.id)] = bob.wraps.to_bytes()
    family.server.blobs[verifier_names(bob.id)[0]] = password_keys(
        "a newer password", open_state(family.server.blobs[state_name(bob.id)]).kdf, bob.id
    ).authentication

    with pytest.raises(Tampered):
        SealedClient.unlock(family.server, bob.id, "a newer password")


def test_another_persons_wraps_are_refused(family):
    bob, mallory = family.accounts["bob"], family.accounts["mallory"]
    family.server.blobs[wraps_name(bob.id)] = mallory.wraps.to_bytes()

    with pytest.raises(Tampered):
        SealedClient.unlock(family.server, bob.id, password("bob"))


def test_a_succession_that_the_old_keys_did_not_sign_is_refused(family):
    bob, forger = family.accounts["bob"], Identity.new(family.accounts["bob"].id)
    step = succession(forger, forger.public)
    for steps in ((step,), ()):
        state = replace(bob.state, identity=forger.public, counter=9, successions=steps)
        with pytest.raises(KeyChanged):
            SealedClient.unlock(serve_state(family, "bob", state, forger), bob.id, password("bob"), family.pins("bob"))


def test_two_devices_can_not_overwrite_each_others_change(family):
    one, other = family.client("bob"), family.client("bob")
    one.change_password("from the first device")

    with pytest.raises(Conflict):
        other.change_password("from the second device")
    assert other.account.secret == family.accounts["bob"].secret


def test_a_rotation_changes_every_key_and_keeps_every_vault(family):
    client, old = family.client("carol"), family.accounts["carol"]
    epoch = client.open_vault(family.vault).keyring.head.epoch

    recovery = client.rotate_keys("after the rotation")

    fresh = SealedClient.unlock(family.server, client.id, "after the rotation", family.pins("carol"))
    assert fresh.account.secret != old.secret
    assert fresh.account.identity.public != old.identity.public
    assert not fresh.rotation_pending
    vault = fresh.open_vault(family.vault)
    assert vault.verify([family.scan]) == 3
    assert vault.keyring.head.epoch == epoch + 1, "the old keys had opened the epoch before"
    assert family.open("bob").verify() == 3
    assert SealedClient.recover(family.server, client.id, recovery, "and again").id == client.id
    with pytest.raises(WrongPassword):
        SealedClient.recover(family.server, client.id, family.recovery["carol"], "no longer")


@pytest.mark.parametrize(("name", "answer_lost"), [("carol", False), ("carol", True), ("bob", False)])
@pytest.mark.slow
def test_a_rotation_cut_off_at_any_write_loses_nothing_and_goes_on(family, name, answer_lost):
    """Carol also begins a new epoch; Bob, an editor, only brings his new keys."""
    crashes = 0
    for writes in range(20):
        server = Failing(family.server.blobs, writes, answer_lost=answer_lost)
        client = family.client(name, server)
        try:
            client.rotate_keys("rotated")
        except Crash:
            crashes += 1
        honest = MemoryTransport(server.blobs)
        begun = honest.get(state_name(client.id)) != family.accounts[name].envelope
        now = "rotated" if begun else password(name)
        after = SealedClient.unlock(honest, client.id, now, family.pins(name))
        assert after.open_vault(family.vault).verify([family.scan]) == 3
        assert family.open("alice", honest).verify() == 3
        after.finish_rotation()
        assert not after.rotation_pending
        assert after.open_vault(family.vault).verify([family.scan]) == 3
        if crashes <= writes:
            break
    assert crashes >= 3


@given(st.data())
def test_no_altered_state_or_wrap_unlocks(founded, data):
    """Without the cost of a password: what comes after it is opened with the right keys."""
    account = founded.accounts["bob"]
    envelope, wraps = bytearray(account.envelope), bytearray(account.wraps.to_bytes())
    for blob in (envelope, wraps):
        blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SealedError):
        open_state(bytes(envelope))
    with pytest.raises(Tampered):
        Wraps.from_bytes(bytes(wraps), account.state)
