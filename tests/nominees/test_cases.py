"""What begins a release, whose word it needs, and that the owner's veto has the last word."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.db.session import Actor, session_scope
from app.nominees import service, tasks
from app.nominees.service.advancing import advance_case
from tests.factories import auth, make_user, principal_of
from tests.nominees.conftest import ROOT, Legacy, rows_of
from tests.notifications.smtp import changed_settings

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
DAY = timedelta(days=1)


async def open_cases(legacy: Legacy) -> list[dict[str, object]]:
    return (await legacy.get("/cases"))["items"]


async def bring(legacy: Legacy, nominee, case_id: str, content: bytes = b"%PDF-1.4 She has died.", expect: int = 201):
    files = {"file": ("certificate.pdf", content)}
    path = f"{ROOT}/visit/cases/{case_id}/proofs"
    response = await legacy.client.post(path, files=files, headers=nominee.headers)
    assert response.status_code == expect, response.text
    return response.json()


async def test_the_link_in_a_letter_stops_it_by_a_post_and_everybody_is_told(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "waiting")
    token = await legacy.link_of(legacy.owner.email, "stop")

    await legacy.post("/stop", {"token": token}, expect=204)
    await legacy.post("/stop", {"token": token}, expect=204)

    case = await legacy.case(case_id)
    assert (case["state"], case["ending"]) == ("stopped", "owner")
    assert [event["kind"] for event in case["events"]].count("stopped") == 1
    assert (await legacy.subjects(grace.email))[-1] == "The release of what Ada Lovelace left is stopped"
    refused = await legacy.post(f"/visit/plans/{plan_id}/ask", by=grace, expect=409)
    assert refused["code"] == "cooling-down"
    await legacy.later(days=60)
    assert (await legacy.case(case_id))["state"] == "closed"
    await legacy.post("/stop", {"token": token}, expect=409)
    visit = await legacy.post(f"/visit/plans/{plan_id}/ask", by=grace)
    assert visit["plans"][0]["case"]["id"] != case_id


async def test_the_owner_takes_back_what_was_released_at_once(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "released")
    items = f"/visit/released/vaults/{legacy.vault.id}/items"
    assert len((await legacy.get(items, by=grace))["items"]) == 1

    await legacy.post(f"/cases/{case_id}/stop")

    await legacy.get(items, by=grace, expect=404)
    assert (await legacy.get("/visit/released", by=grace)) == {"releases": [], "vaults": []}
    stranger = await legacy.client.post(f"{ROOT}/cases/{case_id}/stop", headers=auth(await make_user()))
    assert stranger.status_code == 404


@pytest.mark.parametrize("attempt", range(3))
async def test_a_veto_in_the_moment_of_the_release_wins(legacy: Legacy, attempt: int):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    due = datetime.fromisoformat((await legacy.until(case_id, "waiting"))["due_at"])
    token = await legacy.link_of(legacy.owner.email, "stop")
    sweeps = [advance_case(case_id, legacy.owner.id, due) for _ in range(4)]

    await asyncio.gather(*sweeps[:2], service.stop_by_link(token, due), *sweeps[2:])

    case = await legacy.case(case_id)
    assert (case["state"], case["ending"]) == ("stopped", "owner")
    assert len(await rows_of("SELECT 1 FROM legacy_releases WHERE case_id = :id", id=case_id)) <= 1
    await legacy.get(f"/visit/released/vaults/{legacy.vault.id}/items", by=grace, expect=404)


async def test_many_workers_release_once(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    due = datetime.fromisoformat((await legacy.until(case_id, "waiting"))["due_at"])
    await legacy.letters(grace.email)

    moved = await asyncio.gather(*(advance_case(case_id, legacy.owner.id, due) for _ in range(5)))

    assert sum(moved) == 1
    assert len(await rows_of("SELECT 1 FROM legacy_releases WHERE case_id = :id", id=case_id)) == 1
    opened = [
        each for each in await legacy.subjects(grace.email) if each.startswith("What Ada Lovelace left to you: stage")
    ]
    assert len(opened) == 1


async def test_the_database_refuses_what_the_machine_does_not_know(legacy: Legacy):
    from sqlalchemy.exc import DBAPIError

    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    for change in (
        "state = 'released'",
        "state = 'waiting'",
        "state = 'closed', due_at = NULL, ending = 'over'",
        "rules = jsonb_set(rules, '{waiting_days}', '0')",
        "due_at = NULL",
    ):
        with pytest.raises(DBAPIError):
            await rows_of(f"UPDATE legacy_cases SET {change} WHERE id = :id RETURNING id", id=case_id)
    insert = """INSERT INTO legacy_releases (id, user_id, plan_id, case_id, released_at)
    SELECT gen_random_uuid(), user_id, plan_id, id, now() FROM legacy_cases WHERE id = :id RETURNING id"""
    with pytest.raises(DBAPIError):
        await rows_of(insert, id=case_id)
    assert (await legacy.case(case_id))["state"] == "suspected"


async def test_inactivity_begins_it_and_any_sign_of_life_ends_it(legacy: Legacy):
    grace = await legacy.name("Grace")
    await legacy.plan(grace, may_be_asked=False, inactivity_days=60)
    await legacy.seen()
    await legacy.later(days=59)
    assert await open_cases(legacy) == []
    await legacy.seen(legacy.now - 59 * DAY)  # the question above was one
    await legacy.later(days=2)
    async with session_scope(Actor.user(legacy.owner.id)) as session:
        [case], _ = await service.list_cases(session, principal_of(legacy.owner), None, 5)
    assert (case.trigger, case.state) == ("inactive", "suspected")
    assert "Are you there? A release of your legacy has begun" in await legacy.subjects(legacy.owner.email)
    await legacy.later(days=2)

    await legacy.seen()
    await legacy.later()

    case = (await open_cases(legacy))[0]
    assert (case["state"], case["ending"]) == ("stopped", "owner_seen")
    await legacy.seen()
    await legacy.later(days=59)
    assert len(await open_cases(legacy)) == 1


async def test_the_clock_of_a_host_changes_nothing(legacy: Legacy, monkeypatch: pytest.MonkeyPatch):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace, inactivity_days=7)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    before = await legacy.case(case_id)
    real = time.time

    monkeypatch.setattr(time, "time", lambda: real() + 400 * 86_400)
    assert await tasks.advance_cases() >= 0
    await tasks.suspect_inactive()
    await tasks.advance_drills()
    monkeypatch.setattr(time, "time", real)

    assert await legacy.case(case_id) == before
    assert len(await open_cases(legacy)) == 1


async def test_a_trusted_person_is_asked_by_a_link_that_works_once(legacy: Legacy):
    grace, tom = await legacy.name("Grace"), await legacy.name("Tom")
    plan_id = await legacy.plan(grace, confirmer_id=tom.id)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await legacy.until(case_id, "confirming")
    refused = await legacy.post(f"/visit/cases/{case_id}/confirm", {"agree": True}, by=grace, expect=404)
    assert refused["code"] == "case-not-found"
    token = await legacy.link_of(tom.email, "confirm")

    await legacy.post("/confirm", {"token": token, "agree": True}, expect=204)

    assert (await legacy.case(case_id))["state"] == "waiting"
    await legacy.post("/confirm", {"token": token, "agree": False}, expect=404)
    await legacy.sign_in(tom)
    [plan] = (await legacy.get("/visit", by=tom))["plans"]
    assert (plan["roles"], plan["may_be_asked"]) == (["trusted"], False)
    await legacy.post(f"/visit/cases/{case_id}/confirm", {"agree": False}, by=tom)
    case = await legacy.case(case_id)
    assert (case["state"], case["ending"]) == ("stopped", "declined")


async def test_enough_nominees_attest_with_a_proof_that_all_who_decide_can_read(legacy: Legacy):
    grace, alan, tom = [await legacy.name(name) for name in ("Grace", "Alan", "Tom")]
    plan_id = await legacy.plan(grace, alan, confirmer_id=tom.id, attestations_needed=2)
    other_plan = await legacy.plan(tom)
    for nominee in (grace, alan, tom):
        await legacy.sign_in(nominee)
    case_id = await legacy.ask(grace, plan_id)
    assert (await legacy.post(f"/visit/cases/{case_id}/attest", {}, by=grace, expect=409))["code"] == "proof-missing"
    proof = await bring(legacy, grace, case_id)
    assert (proof["name"], proof["media_type"]) == ("certificate.pdf", "application/pdf")
    content = f"/cases/{case_id}/proofs/{proof['id']}/content"
    for headers, path in (
        (legacy.headers, content),
        (alan.headers, f"/visit{content}"),
        (tom.headers, f"/visit{content}"),
    ):
        read = await legacy.client.get(f"{ROOT}{path}", headers=headers)
        assert (read.content, read.headers["cache-control"]) == (b"%PDF-1.4 She has died.", "no-store")
    stranger = await legacy.client.get(f"{ROOT}{content}", headers=auth(await make_user()))
    assert stranger.status_code == 404

    await legacy.post(f"/visit/cases/{case_id}/attest", {"note": "I was there."}, by=grace)
    await legacy.post(f"/visit/cases/{case_id}/attest", {"note": "Again."}, by=grace)
    await legacy.post(f"/visit/cases/{case_id}/attest", {}, by=tom, expect=404)
    await legacy.until(case_id, "confirming")
    await legacy.post(f"/visit/cases/{case_id}/confirm", {"agree": True}, by=tom)
    case = await legacy.case(case_id)
    assert (case["state"], [each["note"] for each in case["attestations"]]) == ("confirming", ["I was there."])
    visit = await legacy.post(f"/visit/cases/{case_id}/attest", {}, by=alan)
    assert visit["plans"][0]["case"]["state"] == "waiting"
    assert (await legacy.until(case_id, "released"))["stages"] == 1
    await bring(legacy, alan, case_id, expect=409)
    assert {each["id"] for each in (await legacy.get("/visit", by=tom))["plans"]} == {plan_id, other_plan}


async def test_a_proof_is_small_not_empty_and_one_of_few(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace, attestations_needed=1)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    with changed_settings(max_proof_bytes=2_000, proofs_per_case=1):
        assert (await bring(legacy, grace, case_id, b"x" * 2_001, expect=413))["code"] == "file-too-large"
        assert (await bring(legacy, grace, case_id, b"", expect=422))["code"] == "empty-file"
        await bring(legacy, grace, case_id, b"x" * 2_000)
        assert (await bring(legacy, grace, case_id, expect=409))["code"] == "too-many-proofs"
    assert len((await legacy.case(case_id))["proofs"]) == 1


async def test_what_a_proof_is_stored_as_is_kept_by_the_sweep_and_goes_with_the_case(legacy: Legacy):
    from app.core.clock import utc_now
    from app.db.runtime import current
    from app.vault.tasks import sweep_blobs

    async def stored() -> set[str]:
        return {name async for name, _ in current().blobs.names()}

    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace, attestations_needed=1)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    await bring(legacy, grace, case_id, b"A certificate about Ada Lovelace.")
    [[blob]] = await rows_of("SELECT blob_name FROM legacy_proofs WHERE case_id = :id", id=case_id)
    await sweep_blobs(utc_now() + timedelta(days=3))
    assert blob in await stored()
    assert b"Lovelace" not in await current().blobs.get(blob, 0, 10_000)

    await legacy.post(f"/cases/{case_id}/stop")
    assert (await legacy.client.delete(f"{ROOT}/plans/{plan_id}", headers=legacy.headers)).status_code == 204
    await sweep_blobs(utc_now() + timedelta(days=3))
    assert blob not in await stored()


async def test_nothing_goes_on_while_letters_can_not_be_sent(legacy: Legacy):
    grace = await legacy.name("Grace")
    plan_id = await legacy.plan(grace)
    await legacy.sign_in(grace)
    case_id = await legacy.ask(grace, plan_id)
    due = datetime.fromisoformat((await legacy.case(case_id))["due_at"])

    assert not await advance_case(case_id, legacy.owner.id, due)
    assert (await legacy.case(case_id))["state"] == "suspected"
    await legacy.letters(grace.email)
    assert await advance_case(case_id, legacy.owner.id, due)


async def test_a_plan_that_has_released_does_not_begin_again_by_itself(legacy: Legacy):
    grace = await legacy.name("Grace")
    await legacy.plan(grace, may_be_asked=False, inactivity_days=30, access_days=10)
    await legacy.seen()
    await legacy.later(days=31)
    [[case_id]] = await rows_of("SELECT id FROM legacy_cases WHERE user_id = :id", id=legacy.owner.id)
    for _ in range(12):
        await legacy.seen(datetime.now(UTC) - DAY)
        await legacy.later(days=20)

    cases = await rows_of("SELECT id, state, ending FROM legacy_cases WHERE user_id = :id", id=legacy.owner.id)
    assert cases == [(case_id, "closed", "over")]


async def test_who_only_asked_but_is_not_in_force_is_refused(legacy: Legacy):
    grace, alan = await legacy.name("Grace"), await legacy.name("Alan")
    draft = await legacy.plan(grace, arm=False)
    silent = await legacy.plan(grace, may_be_asked=False, inactivity_days=90)
    for nominee in (grace, alan):
        await legacy.sign_in(nominee)
    for plan_id in (draft, silent):
        refused = await legacy.post(f"/visit/plans/{plan_id}/ask", by=grace, expect=409)
        assert refused["code"] == "plan-not-armed"
        await legacy.post(f"/visit/plans/{plan_id}/ask", by=alan, expect=404)
    assert [each["id"] for each in (await legacy.get("/visit", by=grace))["plans"]] == [silent]
    assert (await legacy.get("/visit", by=alan))["plans"] == []
