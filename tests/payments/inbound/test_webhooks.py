"""What a provider's webhook may be, and what becomes of it."""

import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.db.session import session_scope
from app.payments.services import inbox
from tests.payments.inbound.test_life import rows
from tests.payments.outbound.conftest import Shop

PATH = "/v1/payments/webhooks/sim"


def event(event_type: str = "customer.created", **values: Any) -> dict[str, Any]:
    """An event as the provider writes it."""
    made = {"object": {"id": f"cus_{uuid4().hex}", "object": "customer"}}
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(utc_now().timestamp()),
        "data": made,
        "livemode": False,
        "pending_webhooks": 1,
        "request": None,
        "type": event_type,
    } | values


def signed(shop: Shop, body: bytes, *, age: int = 0, secret: str | None = None) -> dict[str, str]:
    """The headers of a webhook that is `age` seconds old."""
    at = str(int(utc_now().timestamp()) - age)
    key = (secret or shop.simulator.webhook_secret).encode()
    digest = hmac.new(key, at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}


async def send(shop: Shop, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await shop.client.post(PATH, content=body, headers=headers)


async def stored(event_id: str) -> list[Any]:
    return await rows("SELECT * FROM payments_inbox WHERE event_id = :id", id=event_id)


async def test_an_event_is_stored_once_however_often_it_comes(shop: Shop):
    made = event()
    body = json.dumps(made).encode()

    answers = [await send(shop, body, signed(shop, body)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(await stored(made["id"])) == 1


async def test_an_unknown_type_is_kept(shop: Shop):
    made = event("weather.changed")
    body = json.dumps(made).encode()

    assert (await send(shop, body, signed(shop, body))).status_code == 200
    assert len(await stored(made["id"])) == 1


@pytest.mark.parametrize("age", [301, -400, 10_000])
async def test_a_stale_or_future_event_is_refused(shop: Shop, age: int):
    made = event()
    body = json.dumps(made).encode()

    answer = await send(shop, body, signed(shop, body, age=age))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-webhook")
    assert await stored(made["id"]) == []


async def test_a_forged_event_is_refused(shop: Shop):
    made = event()
    body = json.dumps(made).encode()

    wrong = await send(shop, body, signed(shop, body, secret="whsec_" + "0" * 40))
    altered = await send(shop, body.replace(b"customer.created", b"invoice.paid!!!!"), signed(shop, body))
    bare = await send(shop, body, {"Content-Type": "application/json"})

    assert [answer.status_code for answer in (wrong, altered, bare)] == [400, 400, 400]
    assert await stored(made["id"]) == []


@pytest.mark.parametrize("body", [b"[]", b"[1, 2]", b'"text"', b"null", b"{}", b"not json", b"\xff\xfe", b""])
async def test_a_body_of_another_shape_is_refused(shop: Shop, body: bytes):
    assert (await send(shop, body, signed(shop, body))).status_code == 400


async def test_a_signature_that_is_not_ascii_is_refused(shop: Shop):
    body = json.dumps(event()).encode()
    headers = {"Stripe-Signature": "t=1,v1=é".encode().decode("latin-1"), "Content-Type": "application/json"}

    answer = await shop.client.post(
        PATH, content=body, headers=[(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
    )

    assert answer.status_code == 400


async def test_an_oversized_event_is_refused(shop: Shop):
    made = event(padding="x" * 2_000_000)
    body = json.dumps(made).encode()

    assert (await send(shop, body, signed(shop, body))).status_code == 400
    assert await stored(made["id"]) == []


async def test_another_provider_is_unknown(shop: Shop):
    body = json.dumps(event()).encode()

    answer = await shop.client.post("/v1/payments/webhooks/stripe", content=body, headers=signed(shop, body))

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-provider")


async def test_a_poison_event_waits_aside_and_delays_no_other(shop: Shop):
    poison = event("customer.subscription.updated", data={"object": {"id": "sub_unknown", "object": "subscription"}})
    sound = event("weather.changed")
    for made in (poison, sound):
        body = json.dumps(made).encode()
        await send(shop, body, signed(shop, body))

    for _ in range(inbox.MOST_ATTEMPTS):
        await inbox.drain(shop.provider)
        async with session_scope() as session:
            due = text("UPDATE payments_inbox SET next_try_at = now() WHERE event_id = :id AND dead_at IS NULL")
            await session.execute(due, {"id": poison["id"]})

    kept, handled = (await stored(poison["id"]))[0], (await stored(sound["id"]))[0]
    assert kept["dead_at"] is not None
    assert kept["last_error"] == "Missing"
    assert handled["handled_at"] is not None
    waiting = (await shop.get(shop.operator, "/admin/events")).json()["items"]
    assert poison["id"] in [each["event_id"] for each in waiting]
    replayed = await shop.post(shop.operator, f"/admin/events/{kept['id']}/replay")
    assert replayed.status_code == 204
    assert (await stored(poison["id"]))[0]["dead_at"] is None
