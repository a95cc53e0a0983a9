"""What would fail if a plan had to work today."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.db.runtime import current
from app.nominees.models import gifts, legacy_keys
from app.nominees.policy import owned_plan
from app.nominees.schemas.plans import Finding, FindingCode, Readiness
from app.nominees.service.clock import legacy_now
from app.nominees.service.gifts import scope_of
from app.nominees.service.letters import Person, accepted, receivers, trusted_person
from app.vault import service as vaults


async def read_readiness(
    session: AsyncSession, principal: Principal, plan_id: UUID, now: datetime | None = None
) -> Readiness:
    """Everything about a plan that would fail, or may. Raises `LegacyPlanNotFound`."""
    plan = await owned_plan(session, principal, plan_id)
    time = await legacy_now(session, now)
    people, trusted = await receivers(session, plan_id), await trusted_person(session, plan_id)
    found = [each async for each in _of_plan(session, principal, plan, people)]
    found += _of_people(people, time) + _of_trusted(trusted, people)
    found += [each async for each in _of_gifts(session, plan)]
    found += await _of_sheets(session, plan, people)
    return Readiness(ready=not any(each.severity == "fails" for each in found), findings=found)


def _finding(
    code: FindingCode,
    text: str,
    severity: Literal["fails", "warns"] = "fails",
    *,
    nominee_id: UUID | None = None,
    vault_id: UUID | None = None,
) -> Finding:
    return Finding(code=code, severity=severity, text=text, nominee_id=nominee_id, vault_id=vault_id)


async def _of_plan(
    session: AsyncSession, principal: Principal, plan: Any, people: list[Person]
) -> AsyncIterator[Finding]:
    if plan["armed_at"] is None:
        yield _finding("not-armed", "The plan is a draft.")
    if not (plan["may_be_asked"] or plan["inactivity_days"]):
        yield _finding("no-trigger", "Nothing begins its release: neither your inactivity nor anybody who asks.")
    if not people:
        yield _finding("no-gifts", "Nobody gets anything by it.")
    elif not accepted(people):
        yield _finding("nobody-can-receive", "Nobody who gets something has accepted yet.")
    if len(accepted(people)) < plan["attestations_needed"]:
        text = f"{plan['attestations_needed']} nominees have to attest, but {len(accepted(people))} have accepted."
        yield _finding("too-few-to-attest", text)
    me = await auth.read_me(session, principal)
    if not me.email_verified:
        yield _finding("address-not-confirmed", "Your own address is not confirmed, so warnings may not reach you.")
    if me.deletion_at:
        yield _finding("account-being-deleted", "Your account is being deleted, and the plan with it.")


def _of_people(people: list[Person], now: datetime) -> list[Finding]:
    found = []
    old = now - timedelta(days=current().settings.nominee_stale_days)
    for person in people:
        if person.state == "invited":
            text = f"{person.name} has not accepted yet."
            found.append(_finding("nominee-not-confirmed", text, nominee_id=person.id))
        elif person.state == "declined":
            text = f"{person.name} does not want to be your nominee."
            found.append(_finding("nominee-declined", text, nominee_id=person.id))
        elif person.verified_at is None or person.verified_at < old:
            text = f"{person.name} has not answered for long: a drill shows whether the address is still right."
            found.append(_finding("nominee-not-verified-lately", text, "warns", nominee_id=person.id))
    return found


def _of_trusted(trusted: Person | None, people: list[Person]) -> list[Finding]:
    if trusted is None:
        return []
    found = []
    if trusted.state != "accepted":
        text = f"{trusted.name}, who has to confirm, has not accepted."
        found.append(_finding("trusted-not-confirmed", text, nominee_id=trusted.id))
    if trusted.id in {person.id for person in people}:
        text = f"{trusted.name} has to confirm what {trusted.name} gets."
        found.append(_finding("trusted-gets-something", text, "warns", nominee_id=trusted.id))
    return found


async def _of_gifts(session: AsyncSession, plan: Any) -> AsyncIterator[Finding]:
    statement = select(gifts).where(gifts.c.plan_id == plan["id"]).order_by(gifts.c.stage, gifts.c.id)
    rows = (await session.execute(statement)).mappings().all()
    for vault_id in dict.fromkeys(row["vault_id"] for row in rows):
        of_vault = [row for row in rows if row["vault_id"] == vault_id]
        if not await vaults.list_released_vaults(session, scope_of(plan["user_id"], of_vault)):
            yield _finding("vault-gone", "A vault is in the trash, or is not yours any more.", vault_id=vault_id)
            continue
        for row in of_vault:
            [vault] = await vaults.list_released_vaults(session, scope_of(plan["user_id"], [row]))
            if vault.tier == "assisted" and not vault.items + vault.documents:
                text = f"Of the vault {vault.name} there is nothing to give, as it is now."
                ids = {"nominee_id": row["nominee_id"], "vault_id": vault_id}
                yield _finding("gift-empty", text, "warns", **ids)


async def _of_sheets(session: AsyncSession, plan: Any, people: list[Person]) -> list[Finding]:
    if not plan["gives_server_sheet"]:
        return []
    mine = select(legacy_keys.c.nominee_ids).where(legacy_keys.c.user_id == plan["user_id"])
    held = await session.scalar(mine.order_by(legacy_keys.c.id.desc()).limit(1))
    if held is None:
        return [_finding("no-sheets", "The plan gives the server's part of your sheets, but you have made none.")]
    without = [person for person in people if person.id not in held]
    text = "{} holds no sheet, so the server's part is of no use to them."
    return [_finding("sheet-missing", text.format(each.name), "warns", nominee_id=each.id) for each in without]
