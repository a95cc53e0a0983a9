"""What owners allow of models with their vaults, and which vaults a run may see because of it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.gateway import Policy, chain, providers
from app.agents.models import VaultRule
from app.agents.schemas import VaultRuleRead, VaultRuleWrite
from app.audit import service as audit
from app.auth.principal import Principal
from app.core.config import Settings
from app.vault import service as vaults

MOST_VAULTS = 1_000


@dataclass(frozen=True, slots=True)
class Reach:
    """How a run may work: with which models, and in which vaults (None: all)."""

    policy: Policy
    vault_ids: tuple[UUID, ...] | None


async def reach_of(
    session: AsyncSession,
    principal: Principal,
    settings: Settings,
    model: str | None,
    vault_ids: tuple[UUID, ...] | None,
) -> Reach:
    """Leave out the vaults that may not go to the model; if that is all of them, use the built-in model instead."""
    rules = {row.vault_id: row for row in await session.scalars(select(VaultRule))}
    asked = providers(chain(settings, Policy(model)))
    closed = {vault_id for vault_id, rule in rules.items() if _forbids(rule, asked)}
    if vault_ids is None and not closed:
        return Reach(Policy(model, masked=any(rule.masked for rule in rules.values())), None)
    wanted = vault_ids if vault_ids is not None else await _all(session, principal)
    left = tuple(each for each in wanted if each not in closed)
    if wanted and not left:
        return Reach(Policy(model, local_only=True), wanted)
    return Reach(Policy(model, masked=any(rules[each].masked for each in left if each in rules)), left)


def _forbids(rule: VaultRule, asked: set[str]) -> bool:
    return rule.providers is not None and not asked <= set(rule.providers)


async def _all(session: AsyncSession, principal: Principal) -> tuple[UUID, ...]:
    found: list[UUID] = []
    before: UUID | None = None
    while len(found) < MOST_VAULTS:
        page, before = await vaults.list_vaults(
            session, principal, vaults.Filters(limit=100, before=before, readable=True)
        )
        found += [vault.id for vault in page]
        if before is None:
            break
    return tuple(found)


async def read(session: AsyncSession, principal: Principal, vault_id: UUID) -> VaultRuleRead:
    """The rule of a vault that the principal may read. Raises `VaultNotFound`."""
    await vaults.require(session, principal, vault_id, "read")
    row = await session.get(VaultRule, vault_id, populate_existing=True)
    if row is None:
        return VaultRuleRead(vault_id=vault_id, providers=None, masked=False)
    return VaultRuleRead(vault_id=vault_id, providers=row.providers, masked=row.masked)


async def write(session: AsyncSession, principal: Principal, vault_id: UUID, data: VaultRuleWrite) -> VaultRuleRead:
    """Set the rule of a vault that the principal owns. Raises `VaultNotFound`, `RoleTooLow`."""
    await vaults.require(session, principal, vault_id, "own")
    if data.providers is None and not data.masked:
        await session.execute(delete(VaultRule).where(VaultRule.vault_id == vault_id))
    else:
        values = {"providers": data.providers, "masked": data.masked}
        put = insert(VaultRule).values(vault_id=vault_id, **values)
        await session.execute(put.on_conflict_do_update(index_elements=["vault_id"], set_=values))
    allowed = "all" if data.providers is None else len(data.providers)
    await audit.record(
        session, principal, vault_id, "agents.vault_rule_set", providers=allowed, masked=int(data.masked)
    )
    return VaultRuleRead(vault_id=vault_id, providers=data.providers, masked=data.masked)
