"""Who is told what about a release case: nothing about it is silent, and every letter to the owner can stop it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.outbox import emit
from app.nominees.machine import Case, Ending, State
from app.nominees.models import nominees
from app.nominees.service.clock import legacy_now
from app.nominees.service.letters import (
    accepted,
    day,
    find_people,
    receivers,
    to_owner,
    to_people,
    to_person,
    trusted_person,
)
from app.nominees.service.links import make_link
from app.nominees.service.people import send_invitation, send_sign_in_link
from app.notifications.inbox import Notice, notify
from app.notifications.preferences import preferences_of

WHY: Final[Mapping[Ending, str]] = MappingProxyType(
    {
        "owner": "the owner stopped it",
        "owner_seen": "the owner was there again",
        "declined": "the trusted person did not agree",
        "unconfirmed": "a word that was needed did not come in time",
        "over": "its time is over",
    }
)
KNOWN_TO_ALL: Final[tuple[State, ...]] = ("waiting", "released")


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened in a case."""

    row: Any
    before: Case | None
    after: Case


Teller: TypeAlias = Callable[[AsyncSession, News], Awaitable[None]]


async def announce(session: AsyncSession, row: Any, before: Case | None, after: Case, happened: Sequence[str]) -> None:
    """Tell whoever must know. Emits `nominees.owner_warned`."""
    news = News(row, before, after)
    for kind in happened:
        if kind in TELLERS:
            await TELLERS[kind](session, news)


async def _warn_owner(session: AsyncSession, news: News, template: str, **context: str) -> None:
    user_id, case_id = news.row["user_id"], news.row["id"]
    token = await make_link(session, user_id, "stop", subject_id=case_id)
    await to_owner(session, user_id, template, token=token, day=day(news.after.due_at), **context)
    await _notify_owner(session, news)
    await emit(session, "nominees.owner_warned", user_id=user_id, case_id=case_id, reminder=news.after.reminders)


async def _notify_owner(session: AsyncSession, news: News) -> None:
    """Say it besides in the inbox and on devices: an address may be out of use."""
    case, user_id = news.after, news.row["user_id"]
    step = f"{case.state}:{case.reminders}:{case.stages}"
    title = "What you left to others is open to them" if case.state == "released" else "A release of your plan goes on"
    stop = "If you are well, stop it: sign in, or use the link in our letter"
    notice = Notice(
        kind="legacy",
        cause=f"legacy:{news.row['id']}:{step}",
        title=title,
        text=f"{stop}. It goes on by itself on {day(case.due_at)}.",
        discreet="Something about your account needs you",
        subject_id=news.row["id"],
        useful_until=case.due_at,
    )
    preferences = await preferences_of(session, user_id)
    await notify(session, user_id, notice, preferences, await legacy_now(session))


async def _reason(session: AsyncSession, news: News) -> str:
    if news.after.trigger == "inactive":
        return "there has been no sign of you for as long as you have set"
    found = await find_people(session, nominees.c.id == news.row["asked_by"])
    return f"{found[0].name} asked for it" if found else "it was asked for"


async def _suspected(session: AsyncSession, news: News) -> None:
    await _warn_owner(session, news, "legacy_suspected", reason=await _reason(session, news))


async def _reminded(session: AsyncSession, news: News) -> None:
    reason, number = await _reason(session, news), str(news.after.reminders)
    await _warn_owner(session, news, "legacy_reminder", reason=reason, number=number)


async def _confirming(session: AsyncSession, news: News) -> None:
    await _warn_owner(session, news, "legacy_confirming")
    until, row = day(news.after.due_at), news.row
    person = await trusted_person(session, row["plan_id"])
    if person and person.state == "accepted":
        ids = {"nominee_id": person.id, "subject_id": row["id"]}
        token = await make_link(session, row["user_id"], "confirm", **ids)
        await to_person(session, person, "legacy_confirm", token=token, until=until)
    elif person and person.state == "invited":
        await send_invitation(session, person)
    if not news.after.is_attested:
        for each in accepted(await receivers(session, row["plan_id"])):
            await send_sign_in_link(session, each, "legacy_attest", until=until)


async def _waiting(session: AsyncSession, news: News) -> None:
    await _warn_owner(session, news, "legacy_waiting")
    people = accepted(await receivers(session, news.row["plan_id"]))
    await to_people(session, people, "legacy_coming", day=day(news.after.due_at))


async def _stage_released(session: AsyncSession, news: News) -> None:
    stage, until = f"{news.after.stages} of {len(news.after.rules.stage_days)}", day(news.after.ends_at)
    await _warn_owner(session, news, "legacy_released", stage=stage, until=until)
    for person in await receivers(session, news.row["plan_id"]):
        if person.state == "accepted":
            await send_sign_in_link(session, person, "legacy_open", stage=stage, until=until)
        elif person.state == "invited":
            await send_invitation(session, person)


async def _stopped(session: AsyncSession, news: News) -> None:
    assert news.after.ending  # noqa: S101
    why, again = WHY[news.after.ending], day(news.after.due_at)
    await to_owner(session, news.row["user_id"], "legacy_stopped", reason=why, day=again)
    await to_people(session, await _knowing(session, news), "legacy_ended", reason=why, day=again)


async def _knowing(session: AsyncSession, news: News) -> list[Any]:
    """Those who have been told of the case: all, or who asked for it and whose word was waited for."""
    assert news.before  # noqa: S101
    people = {person.id: person for person in accepted(await receivers(session, news.row["plan_id"]))}
    person = await trusted_person(session, news.row["plan_id"])
    trusted = {person.id: person} if person else {}
    if news.before.state in KNOWN_TO_ALL:
        return list((people | trusted).values())
    if news.before.state == "confirming":
        return list((people if news.before.rules.attestations_needed else {} | trusted).values())
    return [each for each in people.values() if each.id == news.row["asked_by"]]


async def _closed(session: AsyncSession, news: News) -> None:
    if news.after.ending == "over":
        await to_owner(session, news.row["user_id"], "legacy_closed")
        people = accepted(await receivers(session, news.row["plan_id"]))
        await to_people(session, people, "legacy_access_ended")


TELLERS: Final[Mapping[str, Teller]] = MappingProxyType(
    {
        "suspected": _suspected,
        "reminded": _reminded,
        "confirming": _confirming,
        "waiting": _waiting,
        "stage_released": _stage_released,
        "stopped": _stopped,
        "closed": _closed,
    }
)
