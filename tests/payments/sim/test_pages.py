"""The pages, clicked through: as forms, and once in a real browser."""

import re
from collections.abc import AsyncIterator
from shutil import which
from urllib.parse import urlsplit

import httpx
import pytest

from tests.payments.sim.browser import Browser

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
DONE = "https://shop.example/done?session={CHECKOUT_SESSION_ID}"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield Browser(client)


async def buy(market, browser, mode="subscription", **more):
    """Open the page of a checkout."""
    if mode != "setup":
        price = await market.price(900, "month" if mode == "subscription" else None, "eur")
        more["line_items"] = [{"price": price.id, "quantity": 1}]
    session = await market.v1.checkout.sessions.create_async({"mode": mode, **more})
    assert (await browser.open(session.url)).status_code == 200
    return session


async def status(market, session):
    return (await market.v1.checkout.sessions.retrieve_async(session.id)).status


async def test_a_person_subscribes(market, browser):
    session = await buy(market, browser, success_url=DONE)
    shown = browser.text
    answer = await browser.send("Subscribe and pay", email="new@example.test", card="visa")
    done = await market.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription", "customer"]})

    for words in ("no money moves", "€9.00", "per month", "Plus", "4242", "Pays at once."):
        assert words in shown
    assert answer.headers["location"] == f"https://shop.example/done?session={session.id}"
    assert (done.status, done.subscription.status, done.customer.email) == ("complete", "active", "new@example.test")


async def test_without_an_address_of_its_own_there_is_a_page_after_it(market, browser):
    session = await buy(market, browser, "payment")
    await browser.send("Pay", email="new@example.test", card="mastercard")

    assert "Thank you" in browser.text
    await browser.open(session.url or f"{market.simulator.url}/pay/{session.id}")
    assert "This is paid" in browser.text


async def test_a_declined_card_is_told_and_another_one_pays(market, browser):
    session = await buy(market, browser)
    answer = await browser.send("Subscribe and pay", email="new@example.test", card="chargeDeclinedInsufficientFunds")
    told, open_still = browser.text, await status(market, session)
    await browser.send("Subscribe and pay", card="visa")

    assert answer.status_code == 402
    assert "insufficient funds" in told
    assert 'value="new@example.test"' in answer.text
    assert (open_still, await status(market, session)) == ("open", "complete")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("4242 4242 4242 4242", "Thank you"),
        ("4000000000000002", "declined"),
        ("4111111111111111", "non test card"),
        ("1234", "incorrect"),
        ("", "incorrect"),
    ],
)
async def test_a_number_is_typed(market, browser, number, words):
    await buy(market, browser, "payment", customer=(await market.customer(None)).id)
    answer = await browser.send("Pay", card="number", number=number)

    assert words in browser.text
    assert "4111111111111111" not in answer.text


@pytest.mark.parametrize("mode", ["subscription", "payment", "setup"])
async def test_3d_secure_is_refused_and_then_confirmed(market, browser, mode):
    more = {"setup": {"currency": "eur"}, "payment": {"payment_intent_data": {"setup_future_usage": "off_session"}}}
    customer = await market.customer(None)
    session = await buy(market, browser, mode, customer=customer.id, **more.get(mode, {}))
    await browser.send("Test card", card="authenticationRequired")
    asked = browser.text
    await browser.send("No, refuse", outcome="fail")
    refused, open_still = browser.text, await status(market, session)
    await browser.open(session.url)
    await browser.send("Test card", card="authenticationRequired")
    await browser.send("Yes, confirm", outcome="succeed")

    assert "Is it you?" in asked
    assert "did not confirm" in refused
    assert open_still == "open"
    assert "Thank you" in browser.text
    assert await status(market, session) == "complete"


async def test_a_code_is_typed(market, browser):
    coupon = await market.v1.coupons.create_async({"percent_off": 20, "duration": "once"})
    promotion = {"type": "coupon", "coupon": coupon.id}
    await market.v1.promotion_codes.create_async({"promotion": promotion, "code": "HELLO"})
    await buy(market, browser, allow_promotion_codes=True, customer=(await market.customer(None)).id)
    wrong = await browser.send("Promotion code", code="<b>nothing</b>")
    told = browser.text
    await browser.send("Promotion code", code="hello")

    assert "not known" in told
    assert "<b>nothing" not in wrong.text
    assert "€7.20" in browser.text


async def test_a_trial_is_said(market, browser):
    await buy(market, browser, subscription_data={"trial_period_days": 14})

    assert "Free until" in browser.text
    assert "Start the trial" in browser.text


async def test_an_expired_page_says_so(market, browser):
    session = await buy(market, browser)
    await market.simulator.advance(days=1)
    await browser.open(f"{market.simulator.url}/pay/{session.id}")

    assert "Too late" in browser.text


async def test_3d_secure_of_a_payment_leads_back(market, browser):
    intent = await market.pay(card="pm_card_authenticationRequired", return_url="https://shop.example/back?a=1")
    await browser.open(intent.next_action.redirect_to_url.url)
    answer = await browser.send("Yes, confirm", outcome="succeed")
    target = answer.headers["location"]

    assert target.startswith(f"https://shop.example/back?a=1&payment_intent={intent.id}&")
    assert target.endswith("redirect_status=succeeded")
    assert (await market.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"


async def test_the_portal_ends_and_keeps_a_plan(market, browser):
    subscription = await market.subscribe()
    portal = await market.v1.billing_portal.sessions.create_async(
        {"customer": subscription.customer, "return_url": "https://shop.example/"}
    )
    await browser.open(portal.url)
    shown = browser.text
    await browser.send("End the plan", action="cancel")
    ending = await market.fetch(subscription)
    await browser.send("Keep the plan", action="resume")

    for words in ("Plus", "$10.00 per month", "active", "Visa ···· 4242", "-0001", "paid", "Back to LifeVault"):
        assert words in shown
    assert ending.cancel_at_period_end
    assert not (await market.fetch(subscription)).cancel_at_period_end


async def test_cards_are_looked_after_in_the_portal(market, browser):
    subscription = await market.subscribe()
    portal = await market.v1.billing_portal.sessions.create_async({"customer": subscription.customer})
    await browser.open(portal.url)
    refused = await browser.send("Save and pay with it", action="add", card="chargeDeclined")
    await browser.open(portal.url)
    await browser.send("Save and pay with it", action="add", card="mastercard")
    await browser.send("Save and pay with it", action="add", card="authenticationRequiredOnSetup")
    await browser.send("Yes, confirm", outcome="succeed")
    cards = (await market.v1.payment_methods.list_async({"customer": subscription.customer})).data
    customer = await market.v1.customers.retrieve_async(subscription.customer)
    for card in cards:
        await browser.send("Remove", action="remove", id=card.id)

    assert refused.status_code == 402
    assert [card.card.last4 for card in cards] == ["3155", "4444", "4242"]
    assert customer.invoice_settings.default_payment_method == cards[1].id
    assert not (await market.v1.payment_methods.list_async({"customer": subscription.customer})).data


async def test_the_portal_of_one_changes_nothing_of_another(market, browser):
    mine, other = await market.subscribe(), await market.subscribe()
    [card] = (await market.v1.payment_methods.list_async({"customer": other.customer})).data
    portal = await market.v1.billing_portal.sessions.create_async({"customer": mine.customer})
    for action, identifier in (("cancel", other.id), ("remove", card.id), ("default", card.id)):
        await browser.open(portal.url)
        await browser.send("End the plan", action=action, id=identifier)

    assert not (await market.fetch(other)).cancel_at_period_end
    assert len((await market.v1.payment_methods.list_async({"customer": other.customer})).data) == 1


async def test_an_open_invoice_is_paid_on_its_page(market, browser):
    subscription = await market.subscribe(card="pm_card_chargeCustomerFail")
    invoice = (await market.fetch(subscription)).latest_invoice
    await browser.open(invoice.hosted_invoice_url)
    shown = browser.text
    declined = await browser.send("Pay this invoice"[:3], card="chargeDeclined")
    await browser.send("Test card", card="authenticationRequired")
    await browser.send("Yes, confirm", outcome="succeed")
    after = await market.fetch(subscription)

    assert "$10.00" in shown
    assert declined.status_code == 402
    assert (after.status, after.latest_invoice.status) == ("active", "paid")


async def test_a_form_from_elsewhere_is_refused(market, browser):
    session = await buy(market, browser, customer=(await market.customer(None)).id)
    url = session.url
    async with httpx.AsyncClient() as stranger:
        without = await stranger.post(url, data={"action": "pay", "card": "visa"})
        page = await stranger.get(url)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)[1]
        stranger.cookies.clear()
        others = await stranger.post(url, data={"action": "pay", "card": "visa", "csrf": token})
    cross = await browser.open(url)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', cross.text)[1]
    data = {"action": "pay", "card": "visa", "csrf": token}
    foreign = await browser._client.post(url, data=data, headers={"Sec-Fetch-Site": "cross-site"})

    assert [answer.status_code for answer in (without, others, foreign)] == [400, 400, 400]
    assert await status(market, session) == "open"


async def test_pages_run_nothing_and_can_not_be_framed(market, browser):
    session = await buy(market, browser, success_url=DONE, cancel_url="https://shop.example/")
    headers, body = browser.page.headers, browser.page.text
    policy = headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://shop.example;" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "<script" not in body
    assert " style=" not in body
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert session.url.startswith(market.simulator.url)


async def test_names_are_text_and_never_markup(market, browser):
    product = {"name": "<script>alert(1)</script>"}
    params = {"unit_amount": 500, "currency": "usd", "product_data": product}
    price = await market.v1.prices.create_async(params)
    session = await market.v1.checkout.sessions.create_async(
        {"mode": "payment", "line_items": [{"price": price.id, "quantity": 1}]}
    )
    answer = await browser.open(session.url)

    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


async def test_other_names_of_this_machine_are_not_answered(market):
    async with httpx.AsyncClient() as client:
        answer = await client.get(market.simulator.url, headers={"Host": "evil.example"})
    assert answer.status_code == 404


async def test_what_is_not_there_is_a_page_that_says_so(market, browser):
    for path in ("/pay/cs_test_nobody", "/portal/nobody", "/invoice/nobody", "/authenticate/pi_1_secret_2"):
        answer = await browser.open(market.simulator.url + path)
        assert answer.status_code == 404
        assert "Not found" in browser.text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
async def test_a_person_clicks_through_it_in_a_browser_on_a_phone(market):
    from playwright.async_api import async_playwright

    customer = await market.customer(None)
    price = await market.price(900)
    session = await market.v1.checkout.sessions.create_async(
        {"mode": "subscription", "customer": customer.id, "line_items": [{"price": price.id, "quantity": 1}]}
    )
    errors: list[str] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await chromium.new_page(viewport={"width": 360, "height": 740})
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.goto(session.url)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        await page.get_by_label("3184").check()
        await page.get_by_role("button", name="Subscribe and pay $9.00").click()
        await page.get_by_role("button", name="Yes, confirm").click()
        await page.get_by_role("heading", name="Done").wait_for()
        portal = await market.v1.billing_portal.sessions.create_async({"customer": customer.id})
        await page.goto(portal.url)
        await page.get_by_role("button", name="End the plan with the period").click()
        await page.get_by_role("button", name="Keep the plan").wait_for()
        narrow = await page.evaluate("document.documentElement.scrollWidth")
        await page.get_by_role("link", name="-0001").click()
        await page.get_by_role("heading", name="Invoice").wait_for()
        await chromium.close()

    assert errors == []
    assert (wide, narrow) == (360, 360)
    assert urlsplit(session.url).path.startswith("/pay/")
    [subscription] = (await market.v1.subscriptions.list_async({"customer": customer.id})).data
    assert subscription.cancel_at_period_end
