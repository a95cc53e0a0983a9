"""A release from the first question to its end, over HTTP and by the letters that are really sent."""

import pytest

from tests.factories import auth
from tests.nominees.conftest import ROOT, Legacy, count, rows_of
from tests.notifications.smtp import text_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_what_was_asked_for_is_released_after_every_warning_and_closed_again(legacy: Legacy):
    grace, alan = await legacy.name("Grace"), await legacy.name("Alan")
    gift = {"kind": "item", "nominee_id": alan.id, "item_id": str(legacy.item.id)}
    whole = {"kind": "vault", "nominee_id": grace.id, "vault_id": str(legacy.vault.id)}
    stages = [{"after_days": 0, "gifts": [gift]}, {"after_days": 30, "gifts": [whole]}]
    said = [{"nominee_id": grace.id, "text": "Take care of the boat."}]
    plan_id = await legacy.plan(stages=stages, messages=said, access_days=90)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    assert (await legacy.case(case_id))["state"] == "suspected"
    await legacy.until(case_id, "reminding")
    await legacy.until(case_id, "waiting")
    assert (await legacy.get("/visit/released", by=grace)) == {"releases": [], "vaults": []}
    case = await legacy.until(case_id, "released")

    subjects = await legacy.subjects(legacy.owner.email)
    assert [each for each in subjects if each.startswith("Reminder")] == [
        f"Reminder {number} of 3: your legacy is about to be released" for number in (1, 2, 3)
    ]
    assert (case["stages"], len(await rows_of("SELECT 1 FROM legacy_releases WHERE case_id = :id", id=case_id))) == (
        1,
        1,
    )
    [release] = (await legacy.get("/visit/released", by=grace))["releases"]
    assert (release["message"], release["stages"]) == ("Take care of the boat.", 1)
    vault = f"/visit/released/vaults/{legacy.vault.id}"
    await legacy.get(f"{vault}/items", by=grace, expect=404)
    await legacy.sign_in(alan)
    page = await legacy.get(f"{vault}/items", by=alan)
    assert [each["fields"] for each in page["items"]] == [{"number": "K01234567"}]
    assert (await legacy.get(f"{vault}/documents", by=alan))["items"] == []

    await legacy.later(days=31)
    assert (await legacy.case(case_id))["stages"] == 2
    [document] = (await legacy.get(f"{vault}/documents", by=grace))["items"]
    content = await legacy.client.get(f"{ROOT}{vault}/documents/{document['id']}/content", headers=grace.headers)
    assert content.content == b"The excess is 250 euros.\n"
    await legacy.get(f"/visit/released/vaults/{legacy.other.id}/items", by=grace, expect=404)
    reads = (await legacy.get("/reads"))["items"]
    assert [each["kind"] for each in reads][:2] == ["content", "documents"]
    assert {each["nominee_id"] for each in reads} == {grace.id, alan.id}
    assert "Alan signed in to read what you left" in await legacy.subjects(legacy.owner.email)
    assert "Alan signed in to read what Ada Lovelace left" in await legacy.subjects(grace.email)

    await legacy.later(days=91)
    assert (await legacy.case(case_id))["state"] == "closed"
    await legacy.get(f"{vault}/items", by=grace, expect=404)
    assert (await legacy.subjects(alan.email))[-1] == "The time to read what Ada Lovelace left is over"


async def test_every_letter_says_what_happened_what_comes_and_how_to_stop_it(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "released")

    letters = [each for each in await legacy.letters(legacy.owner.email) if "legacy" in str(each["Subject"])]
    warnings = [text_of(each) for each in letters if "accepted" not in str(each["Subject"])]
    assert len(warnings) >= 6
    for each in warnings:
        assert "stop" in each.lower() or "was changed" in each
    assert "Grace asked for it" in warnings[1]
    assert await count("legacy_reads", legacy.owner.id) == 0
    assert auth(legacy.owner)
