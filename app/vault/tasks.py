"""Background work of vaults."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import utc_now
from app.core.tasks import task
from app.db.runtime import current
from app.db.session import session_scope
from app.jobs.errors import JobFailed
from app.jobs.service import EVENT_HOOKS, JobRun
from app.vault import service
from app.vault.sealed import service as sealed
from app.vault.service.telling import tell_programs

EVENT_HOOKS.append(tell_programs)


@task(service.PURGE_JOB)
async def purge(run: JobRun) -> None:
    """Destroy the vault that the job is about."""
    if run.subject_id is None:
        raise JobFailed("no-vault", "The job names no vault.")
    await service.destroy_vault(run, run.subject_id)


@task(service.RESEAL_JOB)
async def reseal(run: JobRun) -> None:
    """Exchange the data key of the job's vault."""
    if run.vault_id is None:
        raise JobFailed("no-vault", "The job names no vault.")
    if wait := await service.reseal_vault(run, run.vault_id):
        await run.postpone(wait, "settling")


@task(service.DELETE_BLOBS)
async def delete_blobs(run: JobRun) -> None:
    """Delete the files of a purged document."""
    await service.delete_blobs([name for name in run.payload["names"].split(",") if name])


@task("vault.purge_due", every=timedelta(hours=1))
async def purge_due(now: datetime | None = None) -> int:
    """Purge what has been in the trash for long enough; returns how many."""
    async with session_scope() as session:
        return await service.purge_due(session, now or utc_now())


@task("vault.sweep_blobs", every=timedelta(days=1))
async def sweep_blobs(now: datetime | None = None) -> int:
    """Delete files that no row names; returns how many."""
    return await service.sweep_blobs(now or utc_now())


@task("vault.forget_changes", every=timedelta(days=1))
async def forget_changes(now: datetime | None = None) -> int:
    """Forget what has been gone for long in the feed of changes; returns how many."""
    return await service.forget_changes(now or utc_now())


@task("vault.leave_all", on="auth.account_deleted")
async def leave_all(user_id: str) -> None:
    """End the memberships of a deleted account, and destroy the vaults that were theirs alone."""
    async with session_scope() as session:
        await service.leave_all(session, UUID(user_id))


@task("vault.count_for_owner", on="vault.member_changed")
async def count_for_owner(vault_id: str, user_id: str) -> None:  # noqa: ARG001 (the event has it)
    """Let what a vault holds count for the plan of its owner's family: it may have been handed over."""
    async with session_scope() as session:
        await service.count_for_owner(session, UUID(vault_id))


@task("vault.purge_uploads", every=timedelta(hours=1))
async def purge_uploads(now: datetime | None = None) -> int:
    """Delete uploads in parts that were not finished in time; returns how many."""
    async with session_scope() as session:
        return await service.purge_uploads(session, now or utc_now())


@task("vault.finish_uploads", every=timedelta(minutes=5))
async def finish_uploads(now: datetime | None = None) -> int:
    """Make documents of files that came whole before their process died; returns how many."""
    return await service.finish_left(now or utc_now())


@task("vault.prune_versions", every=timedelta(days=1))
async def prune_versions(now: datetime | None = None) -> int:
    """Delete old versions if the settings keep only some; returns how many."""
    keep = current().settings.keep_versions
    pruned = 0
    while keep:
        async with session_scope() as session:
            some = await service.prune_all(session, keep, now or utc_now())
        pruned += some
        if not some:
            break
    return pruned


@task(service.IMPORT_JOB)
async def run_import(run: JobRun) -> None:
    """Put what the job's file holds into its vault."""
    await service.run_import(run)


@task("vault.purge_imports", every=timedelta(hours=1))
async def purge_imports(now: datetime | None = None) -> int:
    """Destroy files of imports that never ended, and old reports; returns how many."""
    async with session_scope() as session:
        return await service.purge_imports(session, now or utc_now())


@task(service.EXPORT_JOB)
async def export(run: JobRun) -> None:
    """Write the export that the job is about."""
    await service.write_export(run)


@task("vault.purge_exports", every=timedelta(hours=1))
async def purge_exports(now: datetime | None = None) -> int:
    """Destroy exports that have expired; returns how many."""
    async with session_scope() as session:
        return await service.purge_exports(session, now or utc_now())


@task("vault.forget_exports", on="vault.purged")
async def forget_exports(vault_id: str) -> None:
    """Destroy the exports that hold what lay in a vault which was purged."""
    await service.forget_exports(UUID(vault_id))


@task("vault.forget_member", on="vault.member_removed")
async def forget_member(vault_id: str, user_id: str) -> None:
    """Drop the favourites and the shares of somebody who is no longer in a vault."""
    async with session_scope() as session:
        await service.forget_member(session, UUID(vault_id), UUID(user_id))


@task("vault.sweep_shares", every=timedelta(days=1))
async def sweep_shares(now: datetime | None = None) -> int:
    """Delete shares that have been over for long enough; returns how many."""
    async with session_scope() as session:
        return await service.sweep_shares(session, now or utc_now())


@task("vault.tell_of_records", on="vault.type_changed")
async def tell_of_records(type_id: str, vault_id: str) -> None:  # noqa: ARG001 (the event has it)
    """Let those who follow records know that the dates of these may mean something else now."""
    async with session_scope() as session:
        await service.tell_of_records(session, UUID(type_id))


@task("vault.nudge_sealed", every=timedelta(hours=1))
async def nudge_sealed(now: datetime | None = None) -> int:
    """Tell the members of sealed vaults that something is due; returns how many were told."""
    return await sealed.nudge(now or utc_now())
