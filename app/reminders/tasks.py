"""Background work of reminders: what follows changes, and what the clock brings."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import utc_now
from app.core.tasks import task
from app.db.session import session_scope
from app.jobs.errors import JobFailed
from app.jobs.service import JobRun
from app.reminders import service
from app.vault.events import DOCUMENT_CHANGED, ITEM_CHANGED


@task("reminders.send_due", every=timedelta(minutes=1))
async def send_due(now: datetime | None = None) -> int:
    """Tell everybody what is due; returns how many were told of something."""
    return await service.send_due(now or utc_now())


@task("reminders.follow_item", on=ITEM_CHANGED)
async def follow_item(item_id: str, vault_id: str, change: str) -> None:  # noqa: ARG001 (what counts is the record)
    """Bring the reminders of a record to what it says now."""
    async with session_scope() as session:
        await service.follow_item(session, UUID(item_id))


@task("reminders.forget_document", on=DOCUMENT_CHANGED)
async def forget_document(document_id: str, vault_id: str, change: str) -> None:  # noqa: ARG001 (the event has it)
    """Forget what was proposed from a document that is gone."""
    if change == "purged":
        async with session_scope() as session:
            await service.forget_document(session, UUID(document_id))


@task("reminders.follow_preferences", on="notifications.preferences_changed")
async def follow_preferences(user_id: str) -> None:
    """Find out anew when a person is to be told."""
    async with session_scope() as session:
        await service.look_again(session, user_id=UUID(user_id))


@task("reminders.follow_new_member", on="vault.member_added")
async def follow_new_member(vault_id: str, user_id: str) -> None:  # noqa: ARG001 (the event has it)
    """Find out anew who is to be told of a vault's reminders."""
    async with session_scope() as session:
        await service.look_again(session, vault_id=UUID(vault_id))


@task("reminders.follow_member", on="vault.member_changed")
async def follow_member(vault_id: str, user_id: str) -> None:
    """The same for a role that has changed."""
    await follow_new_member(vault_id, user_id)


@task("reminders.follow_vault", on="vault.restored")
async def follow_vault(vault_id: str) -> None:
    """The same for a vault that is back from the trash."""
    async with session_scope() as session:
        await service.look_again(session, vault_id=UUID(vault_id))


@task("reminders.note_password", on="auth.password_changed")
async def note_password(user_id: str) -> None:
    """Count the age of a password anew."""
    async with session_scope() as session:
        await service.note_password(session, UUID(user_id), utc_now())


@task("reminders.stand", every=timedelta(hours=1))
async def stand(now: datetime | None = None) -> int:
    """See to the built-in reminders; returns how many people they were for."""
    at = now or utc_now()
    count = 0
    for step in (
        service.enrol,
        service.start_reviews,
        service.remind_of_passwords,
        service.remind_of_api_keys,
        service.remind_of_invitations,
    ):
        async with session_scope() as session:
            count += await step(session, at)
    return count


@task(service.REVIEW_JOB)
async def review(run: JobRun) -> None:
    """Review what the person of the job has."""
    if run.user_id is None:
        raise JobFailed("no-person", "The job names nobody.")
    async with run.scope() as session:
        await service.review(session, run.user_id, run.payload["month"], utc_now())
        await run.finish(session)


@task("reminders.purge", every=timedelta(days=1))
async def purge(now: datetime | None = None) -> int:
    """Delete notes of what was sent long ago; returns how many."""
    async with session_scope() as session:
        return await service.purge_sent(session, now or utc_now())
