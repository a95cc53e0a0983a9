"""Routes by which operators see what consumers of a marketplace used, and book what it owes."""

from typing import Annotated

from fastapi import Query

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.payments.policy import as_operator
from app.payments.router.access import Reader, Writer
from app.payments.schemas.consumers import (
    ConsumerMonthList,
    ConsumerMonthRead,
    Month,
    StatementPosted,
    StatementWrite,
)
from app.payments.services import consumers

router = Router(prefix="/admin")


@router.get("/consumers", responses=problems(NotFound))
async def list_consumer_months(
    principal: Reader, session: SessionDep, month: Annotated[Month, Query(examples=["2026-11"])]
) -> ConsumerMonthList:
    """List what each consumer of the marketplace used in a month. For operators."""
    async with as_operator(session, principal):
        rows = await consumers.list_months(session, month)
        return ConsumerMonthList(items=[ConsumerMonthRead.model_validate(row) for row in rows])


@router.post("/marketplace-statements", responses=problems(NotFound))
async def post_statement(data: StatementWrite, principal: Writer, session: SessionDep) -> StatementPosted:
    """Book a line of the marketplace's monthly statement; the same line again changes nothing. For operators."""
    async with as_operator(session, principal):
        return await consumers.post_statement(session, data, utc_now())
