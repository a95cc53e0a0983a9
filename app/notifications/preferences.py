"""How people want to be told: read by whoever tells them, changed by themselves."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import is_zone
from app.db.outbox import emit
from app.db.runtime import current
from app.notifications.errors import UnknownZone
from app.notifications.hours import Preferences
from app.notifications.kinds import CHANNELS, KINDS
from app.notifications.models import PreferenceRow
from app.notifications.schemas import (
    ChannelsRead,
    ChannelsUpdate,
    PreferencesRead,
    PreferencesUpdate,
    QuietHoursRead,
)

COLUMNS: Final = (
    *("zone", "remind_at", "quiet_from", "quiet_until", "digest", "digest_at", "digest_weekday", "titles"),
    "channels",
)
TIMES: Final = ("remind_at", "digest_at")
PLAIN: Final = ("zone", "digest", "digest_weekday", "titles")


async def preferences_of(session: AsyncSession, user_id: UUID) -> Preferences:
    """How a person wants to be told, for themself or the system."""
    return (await preferences_of_all(session, [user_id]))[user_id]


async def preferences_of_all(session: AsyncSession, user_ids: list[UUID]) -> dict[UUID, Preferences]:
    """As `preferences_of`, for several people at once."""
    statement = select(PreferenceRow).where(PreferenceRow.user_id.in_(user_ids))
    rows = await session.scalars(statement.execution_options(populate_existing=True))
    known = {row.user_id: row for row in rows}
    return {user_id: _preferences(known.get(user_id)) for user_id in user_ids}


def _preferences(row: PreferenceRow | None) -> Preferences:
    if row is None:
        return Preferences(zone=current().settings.default_time_zone)
    values = {name: getattr(row, name) for name in COLUMNS}
    return Preferences(**{**values, "channels": {kind: tuple(ways) for kind, ways in row.channels.items()}})


async def read_preferences(session: AsyncSession, principal: Principal) -> PreferencesRead:
    """The principal's own."""
    return _shown(await preferences_of(session, principal.user_id))


async def update_preferences(session: AsyncSession, principal: Principal, data: PreferencesUpdate) -> PreferencesRead:
    """Change the principal's own. Raises `UnknownZone`. Emits `notifications.preferences_changed`."""
    if data.zone is not None and not is_zone(data.zone):
        raise UnknownZone
    before = await preferences_of(session, principal.user_id)
    channels = {kind: list(ways) for kind, ways in (before.channels or {}).items()}
    values = {name: getattr(before, name) for name in COLUMNS} | {"channels": channels} | _changes(data)
    if data.channels:
        values["channels"] = channels | _ways(data)
    upsert = insert(PreferenceRow).values(user_id=principal.user_id, **values)
    await session.execute(upsert.on_conflict_do_update(index_elements=[PreferenceRow.user_id], set_=values))
    await emit(session, "notifications.preferences_changed", user_id=principal.user_id)
    return _shown(await preferences_of(session, principal.user_id))


def _changes(data: PreferencesUpdate) -> dict[str, Any]:
    values = {name: getattr(data, name) for name in PLAIN if getattr(data, name) is not None}
    values |= {name: _minute(getattr(data, name)) for name in TIMES if getattr(data, name) is not None}
    if "quiet_hours" in data.model_fields_set:
        quiet = data.quiet_hours
        values["quiet_from"] = _minute(quiet.start) if quiet else None
        values["quiet_until"] = _minute(quiet.end) if quiet else None
    return values


def _ways(data: PreferencesUpdate) -> dict[str, list[str]]:
    given = {kind: getattr(data.channels, kind) for kind in ChannelsUpdate.model_fields}
    return {kind: [way for way in CHANNELS if way in ways] for kind, ways in given.items() if ways is not None}


def _shown(preferences: Preferences) -> PreferencesRead:
    start, end = preferences.quiet_from, preferences.quiet_until
    quiet = None if start is None or end is None else QuietHoursRead(start=_clock(start), end=_clock(end))
    return PreferencesRead(
        zone=preferences.zone,
        remind_at=_clock(preferences.remind_at),
        quiet_hours=quiet,
        digest=preferences.digest,
        digest_at=_clock(preferences.digest_at),
        digest_weekday=preferences.digest_weekday,
        titles=preferences.titles,
        channels=ChannelsRead(**{kind: list(preferences.channels_for(kind)) for kind in KINDS}),
    )


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
