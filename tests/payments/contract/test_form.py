"""Parameters are written as the official SDK writes them."""

import json
from urllib.parse import parse_qsl

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from app.payments.providers.form import encoded
from tests.payments.contract.opening import NAMES, open_provider, unhurried
from tests.payments.contract.scripted import said, scripted_server

NESTED = {
    "customer": "cus_1",
    "items": [{"id": "si_1", "price": "price_1", "quantity": 2}, {"id": "si_2", "deleted": True}],
    "metadata": {"größe": "ä & = ?", "empty": ""},
    "pause_collection": "",
    "left_out": None,
    "inner": {"left_out": None, "off": False},
    "expand": ["discounts", "schedule"],
}


def test_nested_values_go_by_brackets():
    assert dict(encoded(NESTED)) == {
        "customer": "cus_1",
        "items[0][id]": "si_1",
        "items[0][price]": "price_1",
        "items[0][quantity]": "2",
        "items[1][id]": "si_2",
        "items[1][deleted]": "true",
        "metadata[größe]": "ä & = ?",
        "metadata[empty]": "",
        "pause_collection": "",
        "inner[off]": "false",
        "expand[0]": "discounts",
        "expand[1]": "schedule",
    }


@pytest.mark.parametrize("method", ["get", "post"])
async def test_both_providers_send_the_same_parameters(method):
    sent = []
    for name in NAMES:
        async with scripted_server() as server:
            server.say(said(200, id="x"))
            provider = open_provider(name, server.url)
            await provider._transport.send(method, "/v1/things", NESTED, "lv:1" if method == "post" else None)
            await provider.close()
            asked = server.asked[0]
            sent.append(parse_qsl(asked.body or asked.target.partition("?")[2], keep_blank_values=True))

    assert sent[0] == sent[1] == encoded(NESTED)


NAMES_OF_FIELDS = st.text("abc_", min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6).filter(lambda text: text.isprintable()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES_OF_FIELDS, inner, max_size=3),
    max_leaves=6,
)


@unhurried
@given(st.dictionaries(NAMES_OF_FIELDS, VALUES, max_size=3))
def test_any_parameters_are_written_as_the_sdk_writes_them(params):
    if has_gap_in_list(params):
        return
    theirs = [(name, str(value)) for name, value in stripe._encode._api_encode(json.loads(json.dumps(params)))]

    assert sorted(encoded(params)) == sorted(theirs)


def has_gap_in_list(value: object) -> bool:
    """None in a list, which the SDK writes as a word; booleans too, in Python's spelling. We send neither."""
    if isinstance(value, dict):
        return any(has_gap_in_list(each) for each in value.values())
    if isinstance(value, list):
        return any(each is None or isinstance(each, bool) or has_gap_in_list(each) for each in value)
    return False
