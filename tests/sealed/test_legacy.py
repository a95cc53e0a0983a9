"""Keys on paper read a sealed vault, however often its other keys rotated, and only as long as they are let to."""

import os
from dataclasses import replace
from uuid import uuid4

import pytest

from app.nominees.shamir import open_sheets, share_among_three
from app.sealed.encoding import NO_DIGEST
from app.sealed.errors import KeyNotVerified, NotAllowed
from app.sealed.identity import Identity
from app.sealed.legacy import legacy_keys, open_as_nominee
from app.sealed.members import Member, MemberList, Role
from app.sealed.names import members_name


@pytest.mark.slow
def test_the_same_sheets_open_the_vault_after_100_rotations_and_another_identity_of_the_owner(family):
    plan, secret, alice = uuid4(), os.urandom(32), family.client("alice")
    sheets, words = share_among_three(secret, 2, 3), alice.fingerprint
    vault = alice.open_vault(family.vault)
    vault.add_legacy(legacy_keys(plan, secret).identity.public)
    for _ in range(100):
        vault.renew_key()
    alice.rotate_keys("rotated")
    alice.open_vault(family.vault).items.put({"title": "My wishes"})

    keys = legacy_keys(plan, open_sheets([sheets.owner, *sheets.nominees[1:]]))
    opened = open_as_nominee(family.server, keys, family.vault, words)

    assert opened.keyring.head.epoch == 102
    assert opened.verify([family.scan]) == 4
    assert len(opened.index().search("wishes")) == 1
    with pytest.raises(NotAllowed):
        opened.items.put({"title": "not mine to write"})


def test_a_plan_that_was_taken_back_reads_nothing_any_more(family):
    plan, secret, alice = uuid4(), os.urandom(32), family.client("alice")
    keys, vault = legacy_keys(plan, secret), alice.open_vault(family.vault)
    vault.add_legacy(keys.identity.public)
    assert open_as_nominee(family.server, keys, family.vault, alice.fingerprint).verify() == 3

    vault.remove_member(plan)

    with pytest.raises(NotAllowed):
        open_as_nominee(family.server, keys, family.vault, alice.fingerprint)


def test_a_vault_that_the_server_made_up_for_the_nominees_is_refused(family):
    plan, secret, alice = uuid4(), os.urandom(32), family.client("alice")
    keys, server = legacy_keys(plan, secret), Identity.new(uuid4())
    real = alice.open_vault(family.vault).keyring.head
    people = (Member(server.public, Role.OWNER),)
    first = MemberList(family.vault, 1, NO_DIGEST, 1, real.key_check, NO_DIGEST, people, server.account)
    guests = (*people, *real.members, Member(keys.identity.public, Role.VIEWER))
    second = replace(first, counter=2, previous=first.digest(), members=guests)
    for name in family.server.names(members_name(family.vault, 1)[:-1]):
        del family.server.blobs[name]
    family.server.blobs[members_name(family.vault, 1)] = first.envelope(server)
    family.server.blobs[members_name(family.vault, 2)] = second.envelope(server)

    with pytest.raises(KeyNotVerified):
        open_as_nominee(family.server, keys, family.vault, alice.fingerprint)


def test_other_words_or_another_plan_open_nothing(family):
    plan, secret, alice = uuid4(), os.urandom(32), family.client("alice")
    alice.open_vault(family.vault).add_legacy(legacy_keys(plan, secret).identity.public)

    with pytest.raises(KeyNotVerified):
        open_as_nominee(family.server, legacy_keys(plan, secret), family.vault, family.client("bob").fingerprint)
    with pytest.raises(NotAllowed):
        open_as_nominee(family.server, legacy_keys(uuid4(), secret), family.vault, alice.fingerprint)
