"""What is due is told once, to whom it concerns, in their zone, by their ways, whoever sends it and whatever fails."""

import asyncio
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.db.session import session_scope
from app.reminders import tasks
from tests.conftest import drain_jobs
from tests.factories import auth, make_member, make_user
from tests.notifications.smtp import Mailbox, changed_settings, html_of, text_of
from tests.reminders.people import DAY, REMINDERS, age, at, in_days, inbox, make_home, make_reminder, sweep
from tests.reminders.test_reminders import act
from tests.vault.conftest import rows_of

pytestmark = pytest.mark.anyio


async def test_a_reminder_is_told_at_each_lead_time_once(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home = await make_home(name="Ada")
    made = await make_reminder(client, home, title="Astrid's passport", due_on=str(in_days(10)), leads=[7, 1, 0])

    for now in (at(2), at(3, "08:59"), at(3), at(3), at(4), at(9), at(9, "12:00"), at(10), at(11)):
        await sweep(settings, now)

    due = "Astrid's passport is due"
    assert await inbox(client, home.owner) == [f"{due} in 7 days", f"{due} tomorrow", f"{due} today"]
    letters = mailbox.sent_to(home.owner.email)
    assert [letter["Subject"] for letter in letters] == [f"{due} in 7 days", f"{due} tomorrow", f"{due} today"]
    assert "Hello Ada," in text_of(letters[0])
    assert "/v1/reminders/links/done?token=" in html_of(letters[0])
    [row] = await rows_of("SELECT next_at FROM reminders WHERE id = :id", id=UUID(made["id"]))
    assert row.next_at is None


async def test_everybody_is_told_on_their_own_morning(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox):
    home = await make_home()
    far = await make_member(home.vault, role="editor")
    viewer = await make_member(home.vault, role="viewer")
    zone = "Pacific/Kiritimati"
    await client.patch("/v1/notifications/settings", json={"zone": zone, "remind_at": "07:30"}, headers=auth(far))
    await make_reminder(client, home, due_on=str(in_days(5)), leads=[0])
    early = datetime.combine(in_days(5), datetime.min.time(), ZoneInfo(zone)) + timedelta(hours=7, minutes=30)

    await sweep(settings, early - timedelta(minutes=1))
    assert await inbox(client, far) == []
    await sweep(settings, early)
    assert (await inbox(client, far), await inbox(client, home.owner)) == (["Renew the permit is due today"], [])
    await sweep(settings, at(5))
    assert await inbox(client, home.owner) == ["Renew the permit is due today"]
    assert len(await inbox(client, far)) == 1
    assert await inbox(client, viewer) == []  # who can do nothing about it is not bothered


async def test_only_who_is_assigned_is_told_and_somebody_always(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    viewer = await make_member(home.vault, role="viewer")
    await make_reminder(client, home, due_on=str(in_days(5)), leads=[3, 0], assigned_to=[str(viewer.id)])
    await sweep(settings, at(2))
    assert (len(await inbox(client, viewer)), len(await inbox(client, home.owner))) == (1, 0)

    path = f"/v1/vault/vaults/{home.vault.id}/members/{viewer.id}"
    assert (await client.delete(path, headers=home.headers)).status_code == 204
    await drain_jobs(settings)
    assert await inbox(client, viewer) == []  # and what they were told of the vault is forgotten
    await sweep(settings, at(5))
    assert (len(await inbox(client, viewer)), len(await inbox(client, home.owner))) == (0, 1)


async def test_workers_at_the_same_time_tell_once(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox):
    from app.notifications import tasks as notification_tasks

    home = await make_home()
    for number in range(6):
        await make_reminder(client, home, title=f"Number {number}", due_on=str(in_days(3)), leads=[0])
    told = await asyncio.gather(*(tasks.send_due(at(3)) for _ in range(4)))
    await asyncio.gather(*(notification_tasks.deliver_due(at(3, "09:05")) for _ in range(4)))
    await drain_jobs(settings)

    assert sum(told) >= 6
    titles = await inbox(client, home.owner)
    assert sorted(titles) == [f"Number {number} is due today" for number in range(6)]
    letters = mailbox.sent_to(home.owner.email)
    assert len(letters) == 1
    assert all(title in text_of(letters[0]) for title in titles)


async def test_a_transaction_that_fails_tells_nothing_and_notes_nothing(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
):
    from app.reminders.service import sending

    home = await make_home()
    made = await make_reminder(client, home, due_on=str(in_days(3)), leads=[0])
    emit = sending.emit

    async def fail(*_: object, **__: object) -> None:
        raise LookupError

    monkeypatch.setattr(sending, "emit", fail)
    await sweep(settings, at(3))
    assert await inbox(client, home.owner) == []
    assert await rows_of("SELECT id FROM reminder_sent WHERE reminder_id = :id", id=UUID(made["id"])) == []
    monkeypatch.setattr(sending, "emit", emit)
    await sweep(settings, at(3, "16:00"))  # after a pause, as it must not keep others back
    assert await inbox(client, home.owner) == ["Renew the permit is due today"]


async def test_a_damaged_reminder_keeps_no_other_back(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    broken = await make_reminder(client, home, title="Broken", due_on=str(in_days(3)), leads=[0])
    await make_reminder(client, home, title="Whole", due_on=str(in_days(3)), leads=[0])
    async with session_scope() as session:
        flip = "set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1)"
        await session.execute(text(f"UPDATE reminders SET body = {flip} WHERE id = :id"), {"id": UUID(broken["id"])})

    await sweep(settings, at(3))

    assert await inbox(client, home.owner) == ["Whole is due today"]


async def test_after_an_outage_one_letter_tells_what_is_still_of_use(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home = await make_home()
    for number in range(4):
        await make_reminder(
            client, home, title=f"Paper {number}", due_on=str(in_days(20 + number)), leads=[15, 12, 9, 0]
        )
    daily = await make_reminder(client, home, title="Pills", due_on=str(in_days(1)), rrule="FREQ=DAILY", leads=[0])

    await sweep(settings, at(15, "20:00"))

    titles = await inbox(client, home.owner)
    assert sorted(titles) == [
        *(f"Paper {number} is due in {5 + number} days" for number in range(4)),
        "Pills is due today",
    ]
    assert len(mailbox.sent_to(home.owner.email)) == 1
    noted = "SELECT count(*) FILTER (WHERE sent) AS sent, count(*) AS all FROM reminder_sent WHERE reminder_id = :id"
    [row] = await rows_of(noted, id=UUID(daily["id"]))
    assert (row.sent, row.all) == (1, 15)
    await sweep(settings, at(15, "21:00"))
    assert len(await inbox(client, home.owner)) == 5


async def test_what_is_older_than_a_month_is_of_no_use(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    made = await make_reminder(client, home, due_on=str(in_days(1)), leads=[0])
    await sweep(settings, at(40))

    assert await inbox(client, home.owner) == []
    await age(made["id"], 0)
    await sweep(settings, at(41))
    assert await inbox(client, home.owner) == []


async def test_who_puts_it_off_is_told_again_later_and_others_as_before(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    editor = await make_member(home.vault)
    made = await make_reminder(client, home, due_on=str(in_days(10)), leads=[8, 5, 0])
    await sweep(settings, at(2))
    until = at(7, "18:00")
    await act(client, home.headers, made["id"], "snooze", until=until.isoformat())
    await sweep(settings, at(5))
    assert (len(await inbox(client, home.owner)), len(await inbox(client, editor))) == (1, 2)

    await sweep(settings, until)
    await sweep(settings, until + timedelta(hours=1))
    assert (await inbox(client, home.owner))[1:] == ["Renew the permit is due in 3 days"]
    await act(client, home.headers, made["id"], "snooze", until=at(8).isoformat())
    await sweep(settings, at(8))
    assert (await inbox(client, home.owner))[2:] == ["Renew the permit is due in 2 days"]
    await sweep(settings, at(10))
    assert (len(await inbox(client, home.owner)), len(await inbox(client, editor))) == (4, 3)


async def test_what_is_done_is_not_told_even_if_it_was_on_its_way(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home = await make_home()
    made = await make_reminder(client, home, due_on=str(in_days(3)), leads=[1, 0])
    await tasks.send_due(at(2))
    await act(client, home.headers, made["id"], "done")
    await sweep(settings, at(2, "10:00"))
    await sweep(settings, at(3))

    assert mailbox.sent_to(home.owner.email) == []
    assert len(await inbox(client, home.owner)) == 1


async def test_one_that_repeats_is_told_each_time_and_a_new_time_of_day_counts(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home()
    made = await make_reminder(
        client, home, due_on=str(in_days(2)), rrule="FREQ=WEEKLY", leads=[0], at="14:00", zone="UTC"
    )
    for days in (2, 9):
        await sweep(settings, at(days, "13:59"))
        await sweep(settings, at(days, "14:00"))
    assert len(await inbox(client, home.owner)) == 2
    changed = {"at": "23:59", "due_on": str(in_days(9))}
    assert (await client.patch(f"{REMINDERS}/{made['id']}", json=changed, headers=home.headers)).status_code == 200
    await sweep(settings, at(9, "23:59"))
    assert len(await inbox(client, home.owner)) == 3


async def test_a_vault_in_the_trash_is_silent_and_speaks_again_when_it_is_back(
    client: httpx.AsyncClient, settings: Settings
):
    home = await make_home()
    await make_reminder(client, home, due_on=str(in_days(3)), leads=[2, 0])
    path = f"/v1/vault/vaults/{home.vault.id}"
    await client.delete(path, headers=home.headers)
    await sweep(settings, at(1))
    assert await inbox(client, home.owner) == []
    await client.post(f"{path}/restore", headers=home.headers)
    await drain_jobs(settings)
    await sweep(settings, at(1, "12:00"))
    assert await inbox(client, home.owner) == ["Renew the permit is due in 2 days"]


async def test_a_new_member_and_a_new_zone_count_from_then_on(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    await make_reminder(client, home, due_on=str(in_days(3)), leads=[0])
    await sweep(settings, at(0))
    editor = await make_member(home.vault)
    async with session_scope() as session:
        from app.db.outbox import emit

        await emit(session, "vault.member_added", vault_id=home.vault.id, user_id=editor.id)
    await client.patch("/v1/notifications/settings", json={"remind_at": "06:00"}, headers=home.headers)
    await drain_jobs(settings)
    await sweep(settings, at(3, "06:00"))
    assert (len(await inbox(client, home.owner)), len(await inbox(client, editor))) == (1, 0)
    await sweep(settings, at(3))
    assert (len(await inbox(client, home.owner)), len(await inbox(client, editor))) == (1, 1)


async def test_nobody_is_asked_what_they_pay(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    await make_reminder(client, home, due_on=str(in_days(3)), leads=[0])
    with changed_settings(enforce_plan_limits=True, payment_provider="none"):
        await sweep(settings, at(3))

    assert len(await inbox(client, home.owner)) == 1


def links(letter) -> dict[str, str]:
    """The links of a letter by their last word, and the token in them."""
    found = [word for word in text_of(letter).split() if "/v1/reminders/links/" in word]
    return {urlsplit(each).path.rpartition("/")[2]: parse_qs(urlsplit(each).query)["token"][0] for each in found}


async def letter_of(client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox, **values: object):
    home = await make_home()
    made = await make_reminder(client, home, due_on=str(in_days(3)), leads=[2], **values)
    await sweep(settings, at(1))
    [letter] = mailbox.sent_to(home.owner.email)
    return home, made, links(letter)


async def test_a_link_in_a_letter_shows_a_button_and_the_button_does_it(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home, made, tokens = await letter_of(client, settings, mailbox)
    path = f"{REMINDERS}/{made['id']}"

    page = await client.get(f"{REMINDERS}/links/done", params={"token": tokens["done"]})
    assert page.status_code == 200
    assert "It is done" in page.text
    assert made["title"] not in page.text
    assert (await client.get(path, headers=home.headers)).json()["state"] == "active"
    for _ in range(2):
        done = await client.post(f"{REMINDERS}/links/done", data={"token": tokens["done"]})
        assert done.status_code == 200
    assert (await client.get(path, headers=home.headers)).json()["state"] == "done"
    late = await client.post(f"{REMINDERS}/links/snooze", data={"token": tokens["snooze"], "preset": "week"})
    assert late.status_code == 409


async def test_a_link_puts_it_off_and_is_good_for_its_own_day_alone(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home, made, tokens = await letter_of(client, settings, mailbox, rrule="FREQ=WEEKLY")
    path = f"{REMINDERS}/{made['id']}"
    put_off = await client.post(f"{REMINDERS}/links/snooze", data={"token": tokens["snooze"], "preset": "week"})
    assert put_off.status_code == 200
    until = (await client.get(path, headers=home.headers)).json()["snoozed_until"]
    assert datetime.fromisoformat(until).date() == in_days(7)
    for _ in range(3):
        await client.post(f"{REMINDERS}/links/done", data={"token": tokens["done"]})
    assert (await client.get(path, headers=home.headers)).json()["due_on"] == str(in_days(3) + 7 * DAY)


async def test_a_link_that_is_none_or_whose_person_has_left_does_nothing(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
):
    home = await make_home()
    editor = await make_member(home.vault, user=await make_user())
    await make_reminder(client, home, due_on=str(in_days(3)), leads=[2], assigned_to=[str(editor.id)])
    await sweep(settings, at(1))
    [letter] = mailbox.sent_to(editor.email)
    await client.delete(f"/v1/vault/vaults/{home.vault.id}/members/{editor.id}", headers=home.headers)
    for token in (links(letter)["done"], "A" * 43):
        assert (await client.get(f"{REMINDERS}/links/done", params={"token": token})).status_code == 404
        assert (await client.post(f"{REMINDERS}/links/done", data={"token": token})).status_code == 404
    assert (await client.get(f"{REMINDERS}/links/done", params={"token": "short"})).status_code == 422


async def test_old_notes_are_purged_and_nothing_is_told_again(client: httpx.AsyncClient, settings: Settings):
    home = await make_home()
    made = await make_reminder(client, home, due_on=str(in_days(3)), leads=[0])
    await sweep(settings, at(3))
    async with session_scope() as session:
        await session.execute(text("UPDATE reminder_sent SET created_at = created_at - interval '1 day'"))
    assert await tasks.purge(at(80)) == 0
    assert await tasks.purge(at(95)) >= 1
    await age(made["id"], 1)
    await sweep(settings, at(95))
    assert len(await inbox(client, home.owner)) == 1
