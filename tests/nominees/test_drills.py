"""A drill walks the plan with its real people and releases nothing."""

import pytest

from tests.nominees.conftest import ROOT, Legacy, count, rows_of
from tests.notifications.smtp import text_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def answered(legacy: Legacy, drill_id: str) -> dict[str, bool]:
    drill = await legacy.get(f"/drills/{drill_id}")
    names = {nominee.id: nominee.name for nominee in legacy.people.values()}
    return {names.get(each["nominee_id"], "owner"): bool(each["answered_at"]) for each in drill["people"]}


async def test_a_drill_goes_from_the_owner_to_the_nominees_and_releases_nothing(legacy: Legacy):
    grace, alan, tom = [await legacy.name(name) for name in ("Grace", "Alan", "Tom")]
    plan_id = await legacy.plan(grace, alan, confirmer_id=tom.id)
    verified = await rows_of("SELECT verified_at FROM nominees WHERE id = :id", id=grace.id)
    drill_id = (await legacy.post(f"/plans/{plan_id}/drills", expect=201))["id"]
    assert not [each for each in await legacy.subjects(tom.email) if each.startswith("Drill")]
    for email, step in ((legacy.owner.email, "trusted"), (tom.email, "nominees")):
        await legacy.post("/drills/answer", {"token": await legacy.link_of(email, "drill")}, expect=204)
        assert (await legacy.get(f"/drills/{drill_id}"))["step"] == step
    token = await legacy.link_of(grace.email, "drill")
    await legacy.post("/drills/answer", {"token": token}, expect=204)
    await legacy.post("/drills/answer", {"token": token}, expect=404)
    assert await answered(legacy, drill_id) == {"owner": True, "Tom": True, "Grace": True, "Alan": False}

    await legacy.later(days=4)

    drill = await legacy.get(f"/drills/{drill_id}")
    assert drill["step"] == "over"
    assert drill["ended_at"]
    report = (await legacy.letters(legacy.owner.email))[-1]
    assert report["Subject"] == "Drill: 3 of 4 answered"
    letters = [each for email in (grace.email, alan.email, tom.email) for each in await legacy.letters(email)]
    drilled = [each for each in letters if str(each["Subject"]).startswith("Drill: ")]
    assert len(drilled) == 3
    assert all("only a drill" in text_of(each) for each in drilled)
    for table in ("legacy_cases", "legacy_releases", "legacy_reads"):
        assert await count(table, legacy.owner.id) == 0
    assert await rows_of("SELECT verified_at FROM nominees WHERE id = :id", id=grace.id) > verified
    await legacy.sign_in(grace)
    await legacy.get(f"/visit/released/vaults/{legacy.vault.id}/items", by=grace, expect=404)


async def test_a_drill_goes_on_without_those_who_are_silent(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace, arm=False)
    drill_id = (await legacy.post(f"/plans/{plan_id}/drills", expect=201))["id"]
    await legacy.later(days=4)
    assert (await legacy.get(f"/drills/{drill_id}"))["step"] == "nominees"
    await legacy.later(days=4)

    assert (await legacy.get(f"/drills/{drill_id}"))["step"] == "over"
    assert (await legacy.letters(legacy.owner.email))[-1]["Subject"] == "Drill: 0 of 2 answered"
    assert [each["id"] for each in (await legacy.get(f"/plans/{plan_id}/drills"))["items"]] == [drill_id]


async def test_one_drill_at_a_time_and_few_in_a_day(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.post(f"/plans/{plan_id}/drills", expect=201)
    assert (await legacy.post(f"/plans/{plan_id}/drills", expect=409))["code"] == "drill-running"
    empty = (await legacy.post("/plans", {"title": "Empty"}, expect=201))["id"]
    assert (await legacy.post(f"/plans/{empty}/drills", expect=409))["code"] == "plan-not-ready"
    for _ in range(4):
        await legacy.client.post(f"{ROOT}/plans/{plan_id}/drills", headers=legacy.headers)
    refused = await legacy.client.post(f"{ROOT}/plans/{plan_id}/drills", headers=legacy.headers)
    assert refused.status_code == 429
