"""The pages that links lead to: a nominee does everything on them with a browser that has no scripts and no cookies."""

import re
from html import unescape

import pytest

from tests.nominees.conftest import ROOT, Legacy
from tests.notifications.smtp import text_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
LINKS = f"{ROOT}/links"


def forms(html: str) -> list[tuple[str, str, dict[str, str]]]:
    """Action, button and hidden fields of each form."""
    found = re.findall(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', html, re.S)
    assert html.count("<form") == len(found)
    return [
        (
            action,
            re.sub(r".*<button[^>]*>(.*)</button>", r"\1", inner, flags=re.S),
            dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', inner)),
        )
        for action, inner in found
    ]


async def press(legacy: Legacy, html: str, button: str, *, status: int = 200, files=None, **typed: str):
    action, _, fields = next(form for form in forms(html) if unescape(form[1]).startswith(button))
    response = await legacy.client.post(action, data={**fields, **typed}, files=files)
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers
    return response


async def follow(legacy: Legacy, email: str, kind: str, *, status: int = 200) -> str:
    token = await legacy.link_of(email, kind)
    page = await legacy.client.get(f"{LINKS}/{kind}", params={"token": token})
    assert page.status_code == status
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    return page.text


async def enter(legacy: Legacy, email: str) -> str:
    """The desk of a nominee who signed in."""
    asked = await press(legacy, await follow(legacy, email, "sign-in"), "Send me the code")
    wrong = await press(legacy, asked.text, "Sign in", status=401, code="000000")
    code = re.search(r"\d{6}", str((await legacy.letters(email))[-1]["Subject"]))
    assert code
    return (await press(legacy, wrong.text, "Sign in", code=code[0])).text


async def test_a_nominee_gets_from_the_invitation_to_the_papers_by_pages_alone(legacy: Legacy):
    grace = await legacy.name("Grace", accept=False)
    tom = await legacy.name("Tom")
    said = [{"nominee_id": grace.id, "text": "<b>Take care</b>\nof the boat."}]
    plan_id = await legacy.plan(grace, confirmer_id=tom.id, attestations_needed=1, messages=said)
    asked = await follow(legacy, grace.email, "invitation")
    assert "Ada Lovelace has named you" in asked
    thanks = await press(legacy, asked, "Accept")
    assert "Thank you" in thanks.text
    desk = await enter(legacy, grace.email)
    assert "Ada Lovelace has named you" in desk

    desk = (await press(legacy, desk, "Ask for the release")).text
    assert "The owner is being warned" in desk
    case_id = (await legacy.get(f"/plans/{plan_id}"))["case_id"]
    await legacy.until(case_id, "confirming")
    yes = await follow(legacy, tom.email, "confirm")
    await press(legacy, yes, "Yes, let it go on")
    desk = (await press(legacy, desk, "Upload a proof", files={"file": ("c.pdf", b"%PDF-1.4 She has died.")})).text
    assert "1 proofs are there, 0 of 1 attest" in desk
    desk = (await press(legacy, desk, "I attest", note="I was there.")).text
    assert "The last waiting period is running" in desk
    await legacy.until(case_id, "released")

    desk = await enter(legacy, grace.email)
    assert "&lt;b&gt;Take care&lt;/b&gt;" in desk
    records = await press(legacy, desk, "1 records")
    assert "<dt>number</dt><dd>K01234567</dd>" in records.text
    documents = await press(legacy, desk, "1 documents")
    content = await press(legacy, documents.text, "policy.txt")
    assert content.content == b"The excess is 250 euros.\n"
    back = await press(legacy, documents.text, "Back")
    await press(legacy, back.text, "Sign out")
    await press(legacy, back.text, "1 records", status=401)


async def test_an_owner_stops_it_by_a_page(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    page = await follow(legacy, legacy.owner.email, "stop")
    assert (await legacy.case(case_id))["state"] == "suspected"

    stopped = await press(legacy, page, "Stop it")

    assert "It is stopped" in stopped.text
    assert (await legacy.case(case_id))["state"] == "stopped"


async def test_who_declines_or_says_no_or_answers_a_drill_does_so_by_pages(legacy: Legacy):
    grace, tom = await legacy.name("Grace"), await legacy.name("Tom")
    alan = await legacy.name("Alan", accept=False)
    await press(legacy, await follow(legacy, alan.email, "invitation"), "Decline")
    assert (await legacy.get(f"/people/{alan.id}"))["state"] == "declined"
    plan_id = await legacy.plan(grace, confirmer_id=tom.id)
    await legacy.post(f"/plans/{plan_id}/drills", expect=201)
    assert "only a drill" in await follow(legacy, legacy.owner.email, "drill")
    await press(legacy, await follow(legacy, legacy.owner.email, "drill"), "I got it")
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "confirming")
    await press(legacy, await follow(legacy, tom.email, "confirm"), "No, stop it")
    assert (await legacy.case(case_id))["ending"] == "declined"
    assert "did not agree" in text_of((await legacy.letters(legacy.owner.email))[-1])


@pytest.mark.parametrize("kind", ["invitation", "stop", "confirm", "drill", "sign-in"])
async def test_a_link_that_was_never_sent_leads_to_a_page_that_says_so(legacy: Legacy, kind: str):
    page = await legacy.client.get(f"{LINKS}/{kind}", params={"token": "x" * 43})
    posted = await legacy.client.post(
        f"{LINKS}/{kind}", data={"token": "x" * 43, **({"answer": "yes"} if kind in ("invitation", "confirm") else {})}
    )

    for answer in (page, posted):
        assert answer.status_code == 404
        assert "not valid" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
