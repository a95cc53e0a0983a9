"""Routes by which operators give money back, answer disputes, and make coupons."""

from uuid import UUID

from fastapi import Response

from app.api.deps import SessionDep
from app.api.idempotency import idempotent
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.core.errors import NotFound
from app.db.acting import acting_for
from app.db.session import SYSTEM
from app.payments.errors import (
    CouponExists,
    CouponNotFound,
    DisputeNotFound,
    FamilyNotFound,
    NotSoMuchLeft,
    PaymentNotFound,
    PlanNotFound,
)
from app.payments.policy import require_operator
from app.payments.router.access import Reader, Writer
from app.payments.router.outgoing import COMMANDING, PENDING, pending
from app.payments.schemas.admin_money import (
    CouponCreate,
    CouponPage,
    CouponRead,
    DisputePage,
    DisputeRead,
    EvidenceCreate,
    PlanGrant,
    PlanGranted,
    RefundCreate,
    RefundRead,
)
from app.payments.schemas.operations import UnsettledOperation, UnsettledPage
from app.payments.services import catalogue, coupons, disputes, grants, refunds, resolving

router = Router(prefix="/admin")


@router.post(
    "/refunds",
    status_code=201,
    response_model=RefundRead,
    responses={**PENDING, **problems(NotFound, PaymentNotFound, NotSoMuchLeft, *COMMANDING)},
)
@idempotent(required=True)
async def create_refund(
    data: RefundCreate, principal: Writer, session: SessionDep, cause: UUID
) -> RefundRead | Response:
    """Give money back, never more than is left of the payment. For operators."""
    await _require_operator(session, principal)
    outcome = await refunds.create_refund(data.payment_id, data.amount_cents, data.reason, cause)
    return pending(outcome) or RefundRead.model_validate(await refunds.read_refund(outcome.operation_id))


async def _require_operator(session: SessionDep, principal: Principal) -> None:
    """See that an operator asks, and give the connection back."""
    await require_operator(session, principal)
    await session.commit()


@router.post("/coupons", status_code=201, responses=problems(NotFound, CouponExists, PlanNotFound))
@idempotent()
async def create_coupon(data: CouponCreate, principal: Writer, session: SessionDep) -> CouponRead:
    """Make a coupon. For operators."""
    await require_operator(session, principal)
    values = data.model_dump() | {"currency": catalogue.CURRENCY if data.amount_cents else None}
    async with acting_for(session, SYSTEM):
        return CouponRead.model_validate(await coupons.create_coupon(session, values))


@router.get("/coupons", responses=problems(NotFound, InvalidCursor))
async def list_coupons(principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None) -> CouponPage:
    """List the coupons and how often each was used, newest first. For operators."""
    await require_operator(session, principal)
    async with acting_for(session, SYSTEM):
        rows = await coupons.list_coupons(session, parse_cursor(cursor), limit + 1)
    last = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return CouponPage(items=[CouponRead.model_validate(row) for row in rows[:limit]], next_cursor=last)


@router.delete("/coupons/{coupon_id}", status_code=204, responses=problems(NotFound, CouponNotFound))
async def withdraw_coupon(coupon_id: UUID, principal: Writer, session: SessionDep) -> None:
    """Let nobody use a coupon any more; who has it keeps it. For operators."""
    await require_operator(session, principal)
    async with acting_for(session, SYSTEM):
        await coupons.withdraw_coupon(session, coupon_id)


@router.get("/disputes", responses=problems(NotFound, InvalidCursor))
async def list_disputes(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> DisputePage:
    """List disputes, newest first. For operators."""
    await _require_operator(session, principal)
    rows = await disputes.list_disputes(parse_cursor(cursor), limit + 1)
    last = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return DisputePage(items=[DisputeRead.model_validate(row) for row in rows[:limit]], next_cursor=last)


@router.post(
    "/disputes/{dispute_id}/evidence",
    response_model=DisputeRead,
    responses={**PENDING, **problems(NotFound, DisputeNotFound, *COMMANDING)},
)
@idempotent(required=True)
async def send_evidence(
    dispute_id: UUID, data: EvidenceCreate, principal: Writer, session: SessionDep, cause: UUID
) -> DisputeRead | Response:
    """Answer a dispute. For operators."""
    await _require_operator(session, principal)
    evidence = data.model_dump(exclude={"submit"}, exclude_none=True)
    outcome = await disputes.answer_dispute(principal, dispute_id, evidence, submit=data.submit, cause=cause)
    return pending(outcome) or DisputeRead.model_validate(await disputes.read_dispute(dispute_id))


@router.get("/operations", responses=problems(NotFound, InvalidCursor))
async def list_operations(
    principal: Reader, session: SessionDep, limit: Limit = 20, cursor: Cursor = None
) -> UnsettledPage:
    """List what the provider was asked for and has not answered, oldest first. For operators."""
    await require_operator(session, principal)
    async with acting_for(session, SYSTEM):
        rows = await resolving.list_unsettled(session, parse_cursor(cursor), limit + 1)
    last = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return UnsettledPage(items=[UnsettledOperation.model_validate(row) for row in rows[:limit]], next_cursor=last)


@router.post("/families/{family_id}/grant-plan", responses=problems(NotFound, FamilyNotFound, PlanNotFound))
async def grant_plan(family_id: UUID, data: PlanGrant, principal: Writer, session: SessionDep) -> PlanGranted:
    """Give a family a plan that it does not pay for, or take it back. For operators."""
    await _require_operator(session, principal)
    await grants.grant_plan(family_id, data.plan)
    return PlanGranted(family_id=family_id, plan=data.plan)
