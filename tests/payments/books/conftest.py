"""Families, plans and money for tests of the books."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, text

from app.core.clock import new_id
from app.db.runtime import Runtime
from app.db.session import Actor, session_scope
from app.payments.models import BilledLine, BillingSubscription, Invoice, Payment, PlanVersion
from app.payments.services import families
from tests.factories import TestUser, make_user
from tests.notifications.smtp import changed_settings

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


async def make_family(owner: TestUser | None = None) -> tuple[UUID, TestUser]:
    """A family of one, and who pays for it."""
    owner = owner or await make_user()
    async with session_scope(Actor.user(owner.id)) as session:
        return await families.family_of(session, owner.id), owner


async def version_id(plan: str) -> UUID:
    """The newest version of a plan."""
    rows = await rows_of(
        "SELECT id FROM payments_plan_versions WHERE plan_code = :plan ORDER BY version DESC LIMIT 1", plan=plan
    )
    found: UUID = rows[0].id
    return found


async def make_plan(limits: dict[str, Any], *, rank: int | None = None, version: int = 1) -> UUID:
    """A plan of its own with these limits; returns its version."""
    code, version_id = f"test-{uuid4().hex}", new_id()
    base = {"seats": 1, "documents": None, "storage_bytes": None, "credits_monthly": 0, "agents": None}
    async with session_scope() as session:
        await session.execute(
            text("INSERT INTO payments_plans (code, name, rank) VALUES (:code, 'Test', :rank)"),
            {"code": code, "rank": uuid4().int % 2**30 + 100},
        )
        values = {"id": version_id, "plan_code": code, "version": version, "limits": base | limits}
        await session.execute(insert(PlanVersion).values(**values))
    return version_id


async def grant_plan(family_id: UUID, plan_version: UUID | None) -> None:
    """Give a family a plan that it does not pay for."""
    async with session_scope() as session:
        await session.execute(
            text("UPDATE payments_families SET granted_plan_version_id = :version WHERE id = :id"),
            {"version": plan_version, "id": family_id},
        )


async def make_subscription(family_id: UUID, *, plan: str = "plus", **changes: Any) -> UUID:
    """A subscription as it was fetched; running for a month since yesterday, unless said otherwise."""
    now = datetime.now(UTC)
    values = {
        "id": new_id(),
        "family_id": family_id,
        "provider": "sim",
        "provider_id": f"sub_{uuid4().hex}",
        "plan_version_id": await version_id(plan),
        "state": "active",
        "provider_status": "active",
        "interval": "month",
        "seats": 0,
        "period_start": now - timedelta(days=1),
        "period_end": now + timedelta(days=29),
        "cancel_at_period_end": False,
        "is_paused": False,
        "started_at": now - timedelta(days=1),
        "provider_seen_at": now,
    } | changes
    async with session_scope() as session:
        await session.execute(insert(BillingSubscription).values(**values))
    subscription_id: UUID = values["id"]
    return subscription_id


async def set_subscription(subscription_id: UUID, **changes: Any) -> None:
    """Change what was fetched."""
    assignments = ", ".join(f"{name} = :{name}" for name in changes)
    async with session_scope() as session:
        await session.execute(
            text(f"UPDATE payments_subscriptions SET {assignments} WHERE id = :id"), {**changes, "id": subscription_id}
        )


async def make_invoice(
    family_id: UUID,
    subscription_id: UUID | None,
    lines: list[dict[str, Any]],
    *,
    paid_at: datetime = NOON,
    tax_cents: int = 0,
    status: str = "paid",
    currency: str = "eur",
) -> tuple[UUID, UUID]:
    """An invoice with its lines and the payment that paid it; their ids."""
    invoice_id, payment_id = new_id(), new_id()
    net = sum(line["amount_cents"] - line.get("discount_cents", 0) for line in lines)
    total = net + tax_cents
    common = {"family_id": family_id, "provider": "sim", "currency": currency, "provider_seen_at": paid_at}
    async with session_scope() as session:
        await session.execute(
            insert(Invoice).values(
                id=invoice_id,
                **common,
                subscription_id=subscription_id,
                provider_id=f"in_{invoice_id.hex}",
                status=status,
                subtotal_cents=net,
                discount_cents=0,
                tax_cents=tax_cents,
                total_cents=total,
                due_cents=total,
                paid_cents=total if status == "paid" else 0,
                issued_at=paid_at,
                paid_at=paid_at if status == "paid" else None,
            )
        )
        for position, line in enumerate(lines):
            values = {"discount_cents": 0, "tax_cents": 0, "is_proration": False, "quantity": 1, "description": "Plan"}
            values |= {"lookup_key": None} | line
            ids = {"id": new_id(), "family_id": family_id, "invoice_id": invoice_id, "position": position}
            await session.execute(insert(BilledLine).values(**ids, provider_id=f"il_{position}", **values))
        await session.execute(
            insert(Payment).values(
                id=payment_id,
                **common,
                invoice_id=invoice_id,
                provider_id=f"pi_{payment_id.hex}",
                status="succeeded",
                amount_cents=total,
                received_cents=max(total, 0),
                paid_at=paid_at,
            )
        )
    return invoice_id, payment_id


async def rows_of(statement: str, **values: object) -> list[Any]:
    """What the database holds, as the system sees it."""
    async with session_scope() as session:
        return list((await session.execute(text(statement), values)).all())


async def audit_of(family_id: UUID) -> Any:
    """The row of the view that proves a family's credits."""
    (row,) = await rows_of("SELECT * FROM payments_credit_audit WHERE family_id = :id", id=family_id)
    assert (row.off_account, row.off_uses, row.off_settled, row.off_holds) == (0, 0, 0, 0)
    return row


@pytest.fixture
def enforced(runtime: Runtime) -> Any:
    """Plans limit, as in production."""
    with changed_settings(enforce_plan_limits=True):
        yield
