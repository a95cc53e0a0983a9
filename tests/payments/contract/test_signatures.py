"""Only what the provider signed, now, for us, is an event; everything else is refused in the same way."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from app.payments.providers.port import EventHint, InvalidSignature
from app.payments.providers.signatures import WebhookRules, read_webhook
from tests.payments.contract.opening import NAMES, SECRET, open_provider, unhurried

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD_SECRET = "whsec_old_secret_of_some_32_letters"
RULES = WebhookRules(secrets=[SECRET, OLD_SECRET], livemode=False, account="", max_bytes=4_096)


def event_of(**changes: Any) -> bytes:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "invoice.paid",
        "created": 1_795_000_000,
        "livemode": False,
        "data": {"object": {"id": "in_1", "object": "invoice"}},
    }
    return json.dumps({name: value for name, value in {**event, **changes}.items() if value is not ...}).encode()


def digest(payload: bytes, at: datetime | str = NOW, secret: str = SECRET) -> str:
    time = at if isinstance(at, str) else str(int(at.timestamp()))
    return hmac.new(secret.encode(), time.encode() + b"." + payload, hashlib.sha256).hexdigest()


def header(payload: bytes, at: datetime = NOW, secret: str = SECRET) -> str:
    return f"t={int(at.timestamp())},v1={digest(payload, at, secret)}"


def read(payload: bytes, signature: str | None = None, rules: WebhookRules = RULES, now: datetime = NOW) -> EventHint:
    return read_webhook(payload, header(payload) if signature is None else signature, now, rules)


def refuses(payload: bytes, signature: str | None = None, rules: WebhookRules = RULES, now: datetime = NOW) -> bool:
    with pytest.raises(InvalidSignature):
        read(payload, signature, rules, now)
    return True


def rules(**changes: Any) -> WebhookRules:
    values = {name: getattr(RULES, name) for name in ("secrets", "livemode", "account", "max_bytes")}
    return WebhookRules(**{**values, **changes})


def test_a_signed_event_gives_its_hint():
    created = datetime.fromtimestamp(1_795_000_000, UTC)

    assert read(event_of()) == EventHint("evt_1", "invoice.paid", "in_1", "", created)


def test_every_live_secret_is_good():
    assert read(event_of(), header(event_of(), secret=OLD_SECRET)).id == "evt_1"


def test_a_secret_that_was_taken_away_is_not():
    assert refuses(event_of(), header(event_of(), secret=OLD_SECRET), rules(secrets=[SECRET]))


def test_without_secrets_nothing_is_believed():
    assert refuses(event_of(), header(event_of(), secret=""), rules(secrets=[]))
    assert refuses(event_of(), header(event_of(), secret=""), rules(secrets=[""]))


def test_one_good_signature_among_others_is_enough():
    payload = event_of()
    time = int(NOW.timestamp())

    assert read(payload, f"t={time},v1={'0' * 64},v1={digest(payload)},v0={'1' * 64}").id == "evt_1"


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_within_five_minutes_of_now_a_webhook_is_good(seconds):
    assert read(event_of(), now=NOW + timedelta(seconds=seconds)).id == "evt_1"


@pytest.mark.parametrize("seconds", [301, 3_600, 10**8])
def test_a_webhook_of_before_is_refused(seconds):
    assert refuses(event_of(), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [301, 3_600, 10**8])
def test_a_webhook_from_the_future_is_refused(seconds):
    assert refuses(event_of(), now=NOW - timedelta(seconds=seconds))


def test_a_changed_body_is_refused():
    assert refuses(event_of(id="evt_2"), header(event_of()))


def test_a_changed_time_is_refused():
    assert refuses(event_of(), f"t={int(NOW.timestamp()) + 1},v1={digest(event_of())}")


def test_the_time_is_signed_as_it_is_written():
    time = f"0{int(NOW.timestamp())}"

    assert refuses(event_of(), f"t={time},v1={digest(event_of())}")


GOOD = digest(event_of())
TIME = int(NOW.timestamp())


@pytest.mark.parametrize(
    "signature",
    [
        "",
        ",",
        "t=",
        f"t={TIME}",
        f"v1={GOOD}",
        f"t={TIME},v0={GOOD}",
        f"t={TIME},v1={GOOD.upper()}",
        f"t={TIME},v1={GOOD}0",
        f"t={TIME},v1={GOOD[:-1]}",
        f"t={TIME},v1={GOOD},",
        f"t={TIME},t={TIME},v1={GOOD}",
        f"t={TIME};v1={GOOD}",
        f"t=-{TIME},v1={GOOD}",
        f"t=+{TIME},v1={GOOD}",
        f"t={TIME}.0,v1={GOOD}",
        f"t=1_795,v1={GOOD}",
        f"t={'9' * 4_000},v1={GOOD}",
        f"t={TIME},v1={GOOD}" + f",v1={'0' * 64}" * 20,
        f"t={TIME},v1={GOOD[:-1]}é",
        f"t={TIME},v1={GOOD}\n",
        f"t={TIME},v1={GOOD}\x00",
        f"\u0660t={TIME},v1={GOOD}",
        "t=\u0661\u0662,v1=" + GOOD,
    ],
)
def test_a_malformed_header_is_refused(signature):
    assert refuses(event_of(), signature)


def test_spaces_after_commas_are_passed_over():
    assert read(event_of(), f"t={TIME}, v1={GOOD}").id == "evt_1"


def test_a_body_above_the_limit_is_refused_before_it_is_hashed():
    payload = event_of(note="x" * 4_096)

    assert refuses(payload)
    assert read(payload, rules=rules(max_bytes=len(payload))).id == "evt_1"


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"evt"', b"1", b"{", b"\xff", b"[" * 100_000, b"{}"])
def test_a_signed_body_that_is_no_event_is_refused(payload):
    assert refuses(payload, rules=rules(max_bytes=1_000_000))


@pytest.mark.parametrize("name", ["id", "object", "type", "created", "livemode", "data"])
def test_an_event_without_a_field_that_we_need_is_refused(name):
    assert refuses(event_of(**{name: ...}))


@pytest.mark.parametrize("change", [{"id": 1}, {"id": ""}, {"type": []}, {"created": "now"}, {"created": -1}])
def test_an_event_with_a_field_of_another_type_is_refused(change):
    assert refuses(event_of(**change))


@pytest.mark.parametrize("data", [[], {}, {"object": []}, {"object": "in_1"}, {"object": {"id": 7}}])
def test_an_event_about_nothing_is_refused(data):
    assert refuses(event_of(data=data))


def test_an_event_about_an_object_without_an_id_is_read():
    assert read(event_of(type="balance.available", data={"object": {"object": "balance"}})).object_id == ""


def test_a_thin_event_is_refused():
    assert refuses(event_of(object="v2.core.event"))


@pytest.mark.parametrize(("ours", "theirs"), [(False, True), (True, False)])
def test_an_event_of_the_other_mode_is_refused(ours, theirs):
    assert refuses(event_of(livemode=theirs), rules=rules(livemode=ours))


def test_an_event_of_the_live_mode_is_read_in_the_live_mode():
    assert read(event_of(livemode=True), rules=rules(livemode=True)).id == "evt_1"


def test_an_event_of_another_account_is_refused():
    assert refuses(event_of(account="acct_theirs"))
    assert refuses(event_of(account="acct_theirs"), rules=rules(account="acct_ours"))


def test_an_event_of_our_account_names_it():
    assert read(event_of(account="acct_ours"), rules=rules(account="acct_ours")).account == "acct_ours"


def test_the_secrets_are_not_shown():
    assert SECRET not in repr(RULES)


@unhurried
@given(payload=st.binary(max_size=300), signature=st.text(max_size=200))
def test_whatever_comes_nothing_else_is_raised(payload, signature):
    assert refuses(payload, signature)


@unhurried
@given(payload=st.binary(max_size=300))
def test_whatever_is_signed_nothing_else_is_raised(payload):
    assert refuses(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@unhurried
@given(name=st.sampled_from(["id", "object", "type", "created", "livemode", "account", "data"]), value=JSON)
def test_whatever_a_field_is_it_is_an_event_or_refused(name, value):
    try:
        hint = read(event_of(**{name: value}))
    except InvalidSignature:
        return
    assert isinstance(hint.id, str)
    assert isinstance(hint.object_id, str)


@unhurried
@given(note=st.text(max_size=50), secret=st.text(min_size=1, max_size=40).filter(str.strip), spaces=st.booleans())
def test_what_the_official_sdk_signs_and_accepts_is_accepted(note, secret, spaces):
    event = {**json.loads(event_of()), "note": note}
    payload = json.dumps(event, ensure_ascii=spaces, indent=2 if spaces else None)
    try:
        payload.encode()
        secret.encode()
    except UnicodeEncodeError:
        return
    signature = stripe.WebhookSignature.generate_signature_header(payload, secret)
    time = datetime.fromtimestamp(int(signature[2:].partition(",")[0]), UTC)

    theirs = stripe.Webhook.construct_event(payload, signature, secret)
    ours = read(payload.encode(), signature, rules(secrets=[secret]), time)

    assert (ours.id, ours.type, ours.object_id) == (theirs.id, theirs.type, theirs.data.object["id"])


@unhurried
@given(flipped=st.integers(min_value=0, max_value=len(event_of()) * 8 - 1))
def test_a_body_with_one_bit_changed_is_refused(flipped):
    payload = bytearray(event_of())
    payload[flipped // 8] ^= 1 << flipped % 8

    assert refuses(bytes(payload), header(event_of()))


@pytest.mark.parametrize("name", NAMES)
async def test_each_provider_reads_webhooks_by_its_settings(name):
    provider = open_provider(name, "http://127.0.0.1:1", secret=f" {OLD_SECRET} , {SECRET},", max_webhook_bytes=2_048)

    assert provider.read_webhook(event_of(), header(event_of()), NOW).id == "evt_1"
    assert provider.read_webhook(event_of(), header(event_of(), secret=OLD_SECRET), NOW).id == "evt_1"
    for payload in (event_of(livemode=True), event_of(account="acct_1"), event_of(note="x" * 2_048)):
        with pytest.raises(InvalidSignature):
            provider.read_webhook(payload, header(payload), NOW)
    await provider.close()
