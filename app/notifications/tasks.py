"""Sending e-mails and push messages, collecting what is told, and writing letters about accounts."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.core.clock import utc_now
from app.core.tasks import task
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications import delivery, inbox, service
from app.notifications.push import sending
from app.notifications.webhooks import delivery as webhooks
from app.notifications.webhooks import messages


@task("notifications.send_mail", on="notifications.mail_queued")
async def send_mail(mail_id: str) -> None:
    """Send a mail."""
    await service.send_mail(UUID(mail_id))


@task("notifications.queue_due", every=timedelta(minutes=1))
async def queue_due() -> int:
    """Try again what could not be sent; returns how many."""
    async with session_scope() as session:
        return await service.queue_due(session)


@task("notifications.send_push", on="notifications.push_queued")
async def send_push(push_id: str) -> None:
    """Send a push message."""
    await sending.send_push(UUID(push_id))


@task("notifications.queue_due_pushes", every=timedelta(minutes=1))
async def queue_due_pushes() -> int:
    """Try again what could not be sent; returns how many."""
    async with session_scope() as session:
        return await sending.queue_due(session)


@task("notifications.deliver_due", every=timedelta(seconds=30))
async def deliver_due(now: datetime | None = None) -> int:
    """Write the letters and push messages that are due; returns how many people got something."""
    return await delivery.deliver_due(now or utc_now())


@task("notifications.purge", every=timedelta(hours=6))
async def purge(now: datetime | None = None) -> int:
    """Delete what people were told long ago; returns how many."""
    async with session_scope() as session:
        return await inbox.purge(session, now or utc_now())


@task("notifications.forget_vault", on="vault.purged")
async def forget_vault(vault_id: str) -> None:
    """Delete what people were told about a vault that is gone."""
    async with session_scope() as session:
        await inbox.forget_vault(session, UUID(vault_id))


@task("notifications.forget_vault_of_member", on="vault.member_removed")
async def forget_vault_of_member(vault_id: str, user_id: str) -> None:
    """Delete what a person was told about a vault that they have left."""
    async with session_scope() as session:
        await inbox.forget_vault(session, UUID(vault_id), UUID(user_id))


@task("notifications.write_verification", on="auth.verification_requested")
async def write_verification(user_id: str, link_id: str) -> None:
    """Ask somebody to confirm their address."""
    hours = current().settings.email_token_seconds // 3_600
    async with session_scope() as session:
        token = await auth.make_link(session, "verify", UUID(user_id), UUID(link_id))
        if token:
            await _write(session, user_id, "verify_email", token=token, hours=str(hours))


@task("notifications.write_reset", on="auth.reset_requested")
async def write_reset(user_id: str, link_id: str) -> None:
    """Send somebody a link for a new password."""
    minutes = current().settings.reset_token_seconds // 60
    async with session_scope() as session:
        token = await auth.make_link(session, "reset", UUID(user_id), UUID(link_id))
        if token:
            await _write(session, user_id, "reset_password", token=token, minutes=str(minutes))


@task("notifications.write_registration_repeated", on="auth.registration_repeated")
async def write_registration_repeated(user_id: str, link_id: str) -> None:  # noqa: ARG001 (the event has it, to look like the other)
    """Tell somebody that their address was registered again."""
    async with session_scope() as session:
        await _write(session, user_id, "registration_repeated")


@task("notifications.write_password_changed", on="auth.password_changed")
async def write_password_changed(user_id: str) -> None:
    """Tell somebody that their password was changed."""
    async with session_scope() as session:
        await _write(session, user_id, "password_changed")


@task("notifications.write_session_compromised", on="auth.session_compromised")
async def write_session_compromised(user_id: str) -> None:
    """Tell somebody that a session was ended for their safety."""
    async with session_scope() as session:
        await _write(session, user_id, "session_compromised")


@task("notifications.write_api_key_created", on="auth.api_key_created")
async def write_api_key_created(user_id: str, api_key_id: str) -> None:
    """Tell somebody of a new API key."""
    async with session_scope() as session:
        prefix = await auth.api_key_prefix(session, UUID(api_key_id))
        if prefix:
            await _write(session, user_id, "api_key_created", prefix=prefix)


@task("notifications.write_second_factor_changed", on="auth.second_factor_changed")
async def write_second_factor_changed(user_id: str) -> None:
    """Tell somebody that how they sign in was changed."""
    async with session_scope() as session:
        await _write(session, user_id, "second_factor_changed")


@task("notifications.write_new_device", on="auth.new_device")
async def write_new_device(user_id: str, session_id: str) -> None:
    """Tell somebody of a sign-in from a new device or place."""
    async with session_scope() as session:
        seen = await auth.find_session(session, UUID(user_id), UUID(session_id))
        if seen:
            time = f"{seen.created_at:%Y-%m-%d %H:%M}"
            await _write(session, user_id, "new_device", device=seen.device, address=seen.address, time=time)


@task("notifications.write_deletion_requested", on="auth.deletion_requested")
async def write_deletion_requested(user_id: str) -> None:
    """Tell somebody until when they can restore their account."""
    async with session_scope() as session:
        deletion_at = await auth.deletion_time(session, UUID(user_id))
        if deletion_at:
            await _write(session, user_id, "deletion_requested", day=f"{deletion_at:%Y-%m-%d}")


async def _write(session: AsyncSession, user_id: str, template: str, **context: str) -> None:
    person = await auth.find_profile(session, UUID(user_id))
    if person:
        context |= {"name": person.name}
        await service.queue_mail(session, owner_id=UUID(user_id), to=person.email, template=template, **context)


@task("notifications.send_webhook", on="notifications.webhook_queued")
async def send_webhook(message_id: str) -> None:
    """Tell somebody's program of an event."""
    await webhooks.send_message(UUID(message_id))


@task("notifications.retry_webhooks", every=timedelta(seconds=15))
async def retry_webhooks() -> int:
    """Try messages again whose time has come; returns how many."""
    async with session_scope() as session:
        return await webhooks.queue_due(session)


@task("notifications.forget_webhooks", every=timedelta(days=1))
async def forget_webhooks() -> int:
    """Delete messages that came to an end long ago; returns how many."""
    async with session_scope() as session:
        return await messages.forget_old(session, current().settings.webhook_message_days)
