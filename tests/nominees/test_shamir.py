"""SLIP-0039 as its official vectors and its reference implementation have it, and sharing that tells nothing early.

`slip39_vectors.json` holds the vectors of github.com/trezor/python-shamir-mnemonic (vectors.json, MIT licence), with
the passphrase "TREZOR"; an empty secret means that the words must be refused.
"""

import json
import os
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import shamir_mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic import MnemonicError

from app.nominees.shamir import (
    DamagedShare,
    InconsistentShares,
    MixedShares,
    NotEnoughShares,
    Share,
    ShareError,
    UnknownWord,
    UnsuitableScheme,
    combine,
    open_sheets,
    read_share,
    share_among_three,
    split,
)
from app.nominees.shamir.gf256 import interpolate, multiply
from app.nominees.shamir.sharing import join_bytes, split_bytes
from app.nominees.shamir.words import to_words, words

VECTORS = json.loads((Path(__file__).parent / "slip39_vectors.json").read_text())
SECRETS = st.integers(8, 32).flatmap(lambda half: st.binary(min_size=2 * half, max_size=2 * half))
REASONS = {
    2: DamagedShare,
    3: DamagedShare,
    5: NotEnoughShares,
    6: MixedShares,
    7: MixedShares,
    8: MixedShares,
    9: MixedShares,
    10: DamagedShare,
    11: InconsistentShares,
    12: MixedShares,
    13: InconsistentShares,
    14: NotEnoughShares,
    15: NotEnoughShares,
    16: NotEnoughShares,
    21: DamagedShare,
    22: DamagedShare,
    24: NotEnoughShares,
    25: MixedShares,
    26: MixedShares,
    27: MixedShares,
    28: MixedShares,
    29: DamagedShare,
    30: InconsistentShares,
    31: MixedShares,
    32: InconsistentShares,
    33: NotEnoughShares,
    34: NotEnoughShares,
    35: NotEnoughShares,
    39: DamagedShare,
    40: DamagedShare,
}


@pytest.mark.parametrize(("name", "mnemonics", "secret"), VECTORS, ids=[name for name, *_ in VECTORS])
def test_the_official_vectors_open_or_are_refused_for_their_reason(name, mnemonics, secret):
    if secret:
        assert combine(mnemonics, "TREZOR").hex() == secret
    else:
        with pytest.raises(REASONS[int(name.partition(".")[0])]):
            combine(mnemonics, "TREZOR")


def test_the_vectors_were_written_down_without_a_slip():
    """Those whose words fit together read as shares in the reference implementation too, the others in neither."""
    for name, mnemonics, _ in VECTORS:
        broken = int(name.partition(".")[0]) in (2, 3, 10, 21, 22, 29, 39, 40)
        for mnemonic in mnemonics:
            if not broken:
                assert shamir_mnemonic.Share.from_mnemonic(mnemonic).mnemonic() == mnemonic
                assert read_share(mnemonic).words() == mnemonic
    assert len(VECTORS) == 45


# The reference implementation as oracle


@settings(max_examples=25, deadline=None)
@given(SECRETS, st.integers(1, 3), st.booleans())
def test_the_reference_implementation_opens_what_we_split(secret, needed, extendable):
    groups = [(1, 1), (2, 3), (needed, 4) if needed > 1 else (1, 1)]
    one, two, three = split(secret, groups, 2, passphrase="pass phrase", exponent=0, extendable=extendable)

    chosen = [*two[1:], *three[-needed:]]
    assert shamir_mnemonic.combine_mnemonics(chosen, b"pass phrase") == secret
    assert shamir_mnemonic.combine_mnemonics([*one, *two[:2]], b"pass phrase") == secret


@settings(max_examples=25, deadline=None)
@given(SECRETS, st.integers(2, 5), st.integers(0, 2), st.booleans())
def test_we_open_what_the_reference_implementation_split(secret, needed, exponent, extendable):
    one, two = shamir_mnemonic.generate_mnemonics(
        2, [(1, 1), (needed, 5)], secret, b"pass", extendable=extendable, iteration_exponent=exponent
    )

    assert combine([*one, *two[:needed]], "pass") == secret
    assert combine([*one, *two], "pass") == secret, "more sheets than needed open too"
    with pytest.raises(MnemonicError):
        shamir_mnemonic.combine_mnemonics([*one, *two[: needed - 1]], b"pass")
    with pytest.raises(NotEnoughShares):
        combine([*one, *two[: needed - 1]], "pass")


# The scheme of our sheets


@settings(max_examples=30, deadline=None)
@given(SECRETS, st.data())
def test_any_two_complete_groups_open_and_nothing_less_does(secret, data):
    nominees = data.draw(st.integers(1, 5))
    needed = data.draw(st.integers(1, nominees))
    sheets = share_among_three(secret, needed, nominees)
    theirs = data.draw(st.permutations(sheets.nominees))
    complete = theirs[:needed]

    assert open_sheets([sheets.owner, sheets.server]) == secret
    assert open_sheets([sheets.server, *complete]) == secret
    assert open_sheets([*complete, sheets.owner]) == secret
    assert open_sheets([sheets.owner, *sheets.nominees, sheets.server]) == secret
    for few in ([sheets.owner], [sheets.server], list(theirs), [sheets.owner, *theirs[: needed - 1]]):
        with pytest.raises(NotEnoughShares):
            open_sheets(few)


def test_what_is_missing_is_said_by_group():
    sheets = share_among_three(os.urandom(32), 3, 5)

    with pytest.raises(NotEnoughShares) as caught:
        open_sheets([sheets.owner, *sheets.nominees[:2]])

    assert (caught.value.groups_complete, caught.value.groups_needed) == (1, 2)
    assert caught.value.groups == {0: (1, 1), 2: (2, 3)}


def test_where_one_nominee_is_enough_all_have_the_same_words():
    sheets = share_among_three(os.urandom(32), 1, 3)

    assert len(set(sheets.nominees)) == 1
    assert len(sheets.owner.split()) == 33
    assert sheets.owner not in repr(sheets)


def test_sheets_may_be_typed_by_first_letters_in_any_case_and_twice():
    secret = os.urandom(32)
    sheets = share_among_three(secret, 2, 3)
    typed = "\n".join(word[:4].upper() for word in sheets.owner.split())

    assert open_sheets([typed, sheets.owner, sheets.server]) == secret


@given(st.data())
def test_one_changed_word_is_always_found(data):
    ((mnemonic,),) = split(bytes(range(32)), [(1, 1)], 1, exponent=0)
    typed = mnemonic.split()
    position = data.draw(st.integers(0, len(typed) - 1))
    typed[position] = data.draw(st.sampled_from([word for word in words() if word != typed[position]]))

    with pytest.raises(DamagedShare):
        combine([" ".join(typed)])


def test_up_to_three_changed_words_are_found_everywhere():
    ((mnemonic,),) = split(os.urandom(16), [(1, 1)], 1, exponent=0)
    typed = mnemonic.split()
    for places in combinations(range(len(typed)), 3):
        changed = [
            words()[(words().index(word) + 7 * at + 1) % 1024] if at in places else word
            for at, word in enumerate(typed)
        ]
        with pytest.raises(DamagedShare):
            read_share(" ".join(changed))


def test_swapped_doubled_and_missing_words_are_found():
    ((mnemonic,),) = split(bytes(range(32)), [(1, 1)], 1, exponent=0)
    typed = mnemonic.split()
    for wrong in ([typed[1], typed[0], *typed[2:]], [typed[0], *typed], typed[1:], typed[:-1], [], typed[:6]):
        with pytest.raises(DamagedShare):
            read_share(" ".join(wrong))


@pytest.mark.parametrize("word", ["kitten", "acad3mic", "aca", "академик", "academicx", "\u0000"])
def test_a_word_that_is_not_on_the_list_is_named_by_its_place_only(word):
    ((mnemonic,),) = split(bytes(16), [(1, 1)], 1, exponent=0)
    typed = mnemonic.split()
    typed[4] = word

    with pytest.raises(UnknownWord) as caught:
        read_share(" ".join(typed))
    assert caught.value.position == 5
    assert word not in str(caught.value)


def test_sheets_of_two_sets_are_not_mixed():
    one, other = (share_among_three(os.urandom(32), 2, 3) for _ in range(2))

    with pytest.raises(MixedShares):
        open_sheets([one.owner, other.server])
    with pytest.raises(MixedShares):
        combine([one.owner, split(os.urandom(16), [(1, 1)], 1)[0][0]])


def test_a_forged_sheet_that_fits_its_checksum_is_found_by_the_digest():
    sheets = share_among_three(os.urandom(32), 2, 3)
    real = read_share(sheets.nominees[0])
    forged = Share(real.of, real.group, real.member, real.member_threshold, os.urandom(32)).words()

    with pytest.raises(InconsistentShares):
        open_sheets([sheets.owner, forged, sheets.nominees[1]])
    with pytest.raises(InconsistentShares):
        open_sheets([sheets.owner, sheets.nominees[1], sheets.nominees[2], forged])
    with pytest.raises(InconsistentShares):
        open_sheets([sheets.owner, sheets.nominees[0], forged])


def test_a_wrong_passphrase_gives_another_secret_without_a_word():
    secret = os.urandom(32)
    ((mnemonic,),) = split(secret, [(1, 1)], 1, passphrase="right", exponent=0)

    assert combine([mnemonic], "right") == secret
    assert combine([mnemonic], "wrong") != secret
    assert len(combine([mnemonic], "wrong")) == 32


@pytest.mark.parametrize(
    ("length", "groups", "needed", "more"),
    [
        (15, [(1, 1)], 1, {}),
        (14, [(1, 1)], 1, {}),
        (17, [(1, 1)], 1, {}),
        (66, [(1, 1)], 1, {}),
        (0, [(1, 1)], 1, {}),
        (16, [], 1, {}),
        (16, [(1, 1)], 0, {}),
        (16, [(1, 1)], 2, {}),
        (16, [(0, 1)], 1, {}),
        (16, [(3, 2)], 1, {}),
        (16, [(2, 17)], 1, {}),
        (16, [(1, 2)], 1, {}),
        (16, [(1, 1)] * 17, 2, {}),
        (16, [(1, 1)], 1, {"exponent": 16}),
        (16, [(1, 1)], 1, {"exponent": -1}),
        (16, [(1, 1)], 1, {"passphrase": "größer"}),
        (16, [(1, 1)], 1, {"passphrase": "tab\t"}),
    ],
)
def test_what_the_format_can_not_hold_is_refused(length, groups, needed, more):
    with pytest.raises(UnsuitableScheme):
        split(bytes(length), groups, needed, **more)


def test_no_sheets_at_all_are_too_few():
    with pytest.raises(NotEnoughShares):
        combine([])


@given(st.lists(st.sampled_from(words()), max_size=60))
def test_whatever_words_are_typed_the_answer_is_an_error_of_ours(typed):
    with pytest.raises(ShareError):
        combine([" ".join(typed)])


# Arithmetic


def test_products_are_those_of_the_field_of_rijndael():
    """Against the tables of powers of x + 1, as FIPS 197 and most implementations have them."""
    powers, logarithms, element = [], {}, 1
    for exponent in range(255):
        powers.append(element)
        logarithms[element] = exponent
        element ^= element << 1
        element ^= 0x11B if element > 255 else 0
    for one in range(1, 256):
        for other in range(1, 256):
            assert multiply(one, other) == powers[(logarithms[one] + logarithms[other]) % 255]
        assert multiply(one, 0) == multiply(0, one) == 0


@given(SECRETS, st.integers(1, 16), st.data())
def test_any_allowed_set_of_parts_joins(secret, count, data):
    threshold = data.draw(st.integers(1, count))
    parts = split_bytes(secret, threshold, count)
    chosen = data.draw(st.lists(st.integers(0, count - 1), min_size=threshold, max_size=count, unique=True))

    assert join_bytes({index: parts[index] for index in chosen}, threshold) == secret


@pytest.mark.parametrize("threshold", [2, 3])
def test_too_few_parts_are_spread_evenly_whatever_the_secret(threshold):
    """Chi-square over 256 values of a byte: two very different secrets give parts that nobody can tell apart."""
    rounds = 6_000
    for secret in (bytes(16), b"\xff" * 16):
        for index in range(threshold - 1, 4):
            seen: Counter[int] = Counter()
            for _ in range(rounds // 16):
                seen.update(split_bytes(secret, threshold, 4)[index])
            expected = sum(seen.values()) / 256
            chi_square = sum((seen[value] - expected) ** 2 / expected for value in range(256))
            assert chi_square < 400, "255 degrees of freedom: more happens once in 50 million times"


def test_every_secret_is_possible_with_one_part_too_few():
    """Perfect secrecy: for each candidate there is exactly one polynomial through the parts that are known."""
    known = {0: b"\x17", 1: b"\xa5"}

    for at in (255, 7):
        reachable = {interpolate({**known, 2: bytes([third])}, at) for third in range(256)}
        assert len(reachable) == 256


def test_the_list_has_1024_words_told_apart_by_four_letters():
    assert len(words()) == 1024
    assert list(words()) == sorted(words())
    assert len({word[:4] for word in words()}) == 1024
    assert to_words([0, 1023]) == "academic zero"
    assert "Share" in repr(read_share(VECTORS[0][1][0]))
    assert read_share(VECTORS[0][1][0]).value.hex() not in repr(read_share(VECTORS[0][1][0]))
