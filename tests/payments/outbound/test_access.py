"""Who may use the routes that ask the provider, and what they answer while payments are switched off."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from app.db.runtime import Runtime
from tests.factories import auth, make_user
from tests.notifications.smtp import changed_settings
from tests.payments.outbound.people import keyed, make_payer, make_seat, operating, problem

pytestmark = pytest.mark.anyio
PAYMENTS = "/v1/payments"
PLAN = {"plan": "plus", "interval": "month"}
SOME_ID = "01a1fdf3-0769-7cb2-ab84-4c96c6358cbd"
READS = (
    "/subscription",
    "/payment-methods",
    "/invoices",
    f"/invoices/{SOME_ID}",
    "/payments",
    f"/checkout/{SOME_ID}",
    f"/operations/{SOME_ID}",
)
MONEY: dict[str, dict[str, Any]] = {
    "/checkout": PLAN,
    "/subscription/change": PLAN,
    "/subscription/cancel": {},
    "/subscription/resume": {},
    "/subscription/pause": {},
    "/subscription/unplan": {},
    "/payment-methods": {},
    f"/invoices/{SOME_ID}/pay": {},
}
OTHERS: dict[str, dict[str, Any]] = {"/portal": {}, "/subscription/preview": PLAN}
ADMIN_MONEY: dict[str, dict[str, Any]] = {
    "/admin/refunds": {"payment_id": SOME_ID},
    f"/admin/disputes/{SOME_ID}/evidence": {},
}
ADMIN_WRITES = {
    "/admin/coupons": {"code": "SOME", "percent": 5},
    f"/admin/families/{SOME_ID}/grant-plan": {"plan": None},
}
ADMIN_READS = ("/admin/coupons", "/admin/disputes", "/admin/operations")


@pytest.mark.parametrize("path", READS)
async def test_a_member_reads_nothing_of_the_money(client: httpx.AsyncClient, runtime: Runtime, path: str):
    member = await make_seat(*await make_payer())

    response = await client.get(PAYMENTS + path, headers=auth(member))

    assert problem(response) == (403, "not-the-payer")


@pytest.mark.parametrize(("path", "body"), [*MONEY.items(), *OTHERS.items()])
async def test_a_member_decides_nothing_about_the_money(client: httpx.AsyncClient, runtime: Runtime, path: str, body):
    member = await make_seat(*await make_payer())
    with changed_provider():
        response = await client.post(PAYMENTS + path, json=body, headers=keyed(member))

    assert problem(response) == (403, "not-the-payer")


def changed_provider() -> Any:
    """Payments are on, and the provider does not answer."""
    return changed_settings(payment_provider="sim", sim_url="http://127.0.0.1:9", sim_key=SecretStr("sk_test_none"))


@pytest.mark.parametrize("path", [*READS, *ADMIN_READS])
async def test_reading_needs_the_scope_for_it(client: httpx.AsyncClient, runtime: Runtime, path: str):
    person = await make_user(scope="profile payments:write")

    response = await client.get(PAYMENTS + path, headers=auth(person))

    assert problem(response) == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "body"), [*MONEY.items(), *OTHERS.items(), *ADMIN_MONEY.items(), *ADMIN_WRITES.items()]
)
async def test_changing_needs_the_scope_for_it(client: httpx.AsyncClient, runtime: Runtime, path: str, body):
    person = await make_user(scope="payments:read")

    response = await client.post(PAYMENTS + path, json=body, headers=keyed(person))

    assert problem(response) == (403, "forbidden")


@pytest.mark.parametrize("path", ADMIN_READS)
async def test_the_operators_pages_do_not_exist_for_others(client: httpx.AsyncClient, runtime: Runtime, path: str):
    person, operator = await make_user(), await make_user()
    with operating(operator):
        others = await client.get(PAYMENTS + path, headers=auth(person))
        own = await client.get(PAYMENTS + path, headers=auth(operator))

    assert problem(others) == (404, "not-found")
    assert own.status_code == 200


@pytest.mark.parametrize(("path", "body"), [*ADMIN_MONEY.items(), *ADMIN_WRITES.items()])
async def test_what_operators_do_does_not_exist_for_others(
    client: httpx.AsyncClient, runtime: Runtime, path: str, body
):
    person, operator = await make_user(), await make_user()
    with operating(operator):
        response = await client.post(PAYMENTS + path, json=body, headers=keyed(person))

    assert problem(response) == (404, "not-found")


async def test_an_operator_whose_address_is_not_confirmed_is_none(client: httpx.AsyncClient, runtime: Runtime):
    person = await make_user(verified=False)
    with operating(person):
        response = await client.get(f"{PAYMENTS}/admin/coupons", headers=auth(person))

    assert response.status_code == 404


@pytest.mark.parametrize("path", [f"/invoices/{SOME_ID}", f"/checkout/{SOME_ID}", f"/operations/{SOME_ID}"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, runtime: Runtime, path: str):
    response = await client.get(PAYMENTS + path, headers=auth(await make_user()))

    assert response.status_code == 404


@pytest.mark.parametrize(("path", "body"), [*MONEY.items(), *ADMIN_MONEY.items()])
async def test_what_moves_money_is_not_done_without_a_key(client: httpx.AsyncClient, runtime: Runtime, path: str, body):
    response = await client.post(PAYMENTS + path, json=body, headers=auth(await make_user()))

    assert problem(response) == (400, "idempotency-key-required")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/checkout", {}),
        ("/checkout", {"plan": "plus"}),
        ("/checkout", PLAN | {"price_id": SOME_ID}),
        ("/checkout", PLAN | {"interval": "week"}),
        ("/checkout", PLAN | {"amount_cents": 1}),
        ("/checkout", PLAN | {"price": "lv:plus:v1:month:eur"}),
        ("/checkout", PLAN | {"seats": -1}),
        ("/checkout", PLAN | {"seats": "2"}),
        ("/checkout", PLAN | {"coupon": "%"}),
        ("/checkout", PLAN | {"success_url": "javascript:alert(1)"}),
        ("/subscription/change", {"plan": "plus"}),
        ("/subscription/change", PLAN | {"at": "yesterday"}),
        ("/subscription/preview", PLAN | {"seats": 1_001}),
        ("/subscription/cancel", {"at_period_end": "perhaps"}),
        ("/payment-methods", {"number": "4242424242424242"}),
        ("/admin/refunds", {"payment_id": SOME_ID, "amount_cents": 0}),
        ("/admin/refunds", {"payment_id": SOME_ID, "amount_cents": 1.5}),
        ("/admin/refunds", {"payment_id": SOME_ID, "reason": "because"}),
        ("/admin/coupons", {"code": "SOME"}),
        ("/admin/coupons", {"code": "SOME", "percent": 5, "amount_cents": 5}),
        ("/admin/coupons", {"code": "SOME", "percent": 101}),
    ],
)
async def test_a_body_that_is_not_valid_is_refused(client: httpx.AsyncClient, runtime: Runtime, path: str, body):
    person = await make_user()
    with operating(person):
        response = await client.post(PAYMENTS + path, json=body, headers=keyed(person))

    assert problem(response) == (422, "unprocessable")


@pytest.mark.parametrize(
    ("path", "body"), [(path, body) for path, body in MONEY.items() if not path.startswith("/invoices")]
)
async def test_without_a_provider_payments_are_off_in_clear_words(
    client: httpx.AsyncClient, runtime: Runtime, path, body
):
    response = await client.post(PAYMENTS + path, json=body, headers=keyed(await make_user()))

    assert problem(response) == (503, "payments-off")


async def test_without_a_provider_the_subscription_can_be_read(client: httpx.AsyncClient, runtime: Runtime):
    response = await client.get(f"{PAYMENTS}/subscription", headers=auth(await make_user()))

    assert response.status_code == 200
    assert response.json()["subscription"] is None
    assert response.json()["plan"]["code"] == "free"


async def test_without_a_provider_there_are_no_cards(client: httpx.AsyncClient, runtime: Runtime):
    person = await make_user()

    assert (await client.get(f"{PAYMENTS}/payment-methods", headers=auth(person))).json() == {"items": []}
    removed = await client.delete(f"{PAYMENTS}/payment-methods/pm_1", headers=auth(person))
    assert problem(removed) == (404, "card-not-found")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://127.0.0.1:8000@evil.example/",
        "http://127.0.0.1:8001/",
        "https://127.0.0.1:8000/",
        "http://127.0.0.1:8000\\@evil.example/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
    ],
)
@pytest.mark.parametrize("name", ["success_url", "cancel_url"])
async def test_nobody_is_sent_to_a_foreign_address(client: httpx.AsyncClient, runtime: Runtime, name: str, url: str):
    person = await make_user()
    with changed_provider():
        response = await client.post(f"{PAYMENTS}/checkout", json=PLAN | {name: url}, headers=keyed(person))

    assert problem(response) == (403, "url-not-allowed")


async def test_whoever_comes_back_from_a_checkout_is_thanked(client: httpx.AsyncClient):
    page = await client.get(f"{PAYMENTS}/checkout/done")

    assert page.status_code == 200
    assert "Thank you" in page.text


async def test_a_provider_that_is_not_there_is_said_to_be_away_and_nothing_is_left_open(
    client: httpx.AsyncClient, runtime: Runtime
):
    _, payer = await make_payer()
    key = str(uuid4())
    with changed_provider():
        answers = [await client.post(f"{PAYMENTS}/checkout", json=PLAN, headers=keyed(payer, key)) for _ in range(2)]

    assert [problem(answer) for answer in answers] == [(503, "provider-unreachable")] * 2
    assert answers[0].headers["Retry-After"] == "5"
