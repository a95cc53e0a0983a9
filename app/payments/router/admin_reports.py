"""Routes of reports, for the operators of the installation."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep
from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.api.problems import problems
from app.api.routes import Router
from app.core.errors import NotFound
from app.payments.errors import InvalidTimeSpan
from app.payments.policy import as_operator
from app.payments.router.access import Reader
from app.payments.schemas.reports import Churn, Deferred, LedgerPage, RecurringRevenue, TrialBalance
from app.payments.services import reports
from app.payments.services.clock import payments_now

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_DAYS = 366


def _within_books(at: datetime) -> datetime:
    """Before and after that, the books are as they are at these times."""
    return min(max(at, EARLIEST), LATEST)


AsOf = Annotated[
    Annotated[AwareDatetime, AfterValidator(_within_books)] | None,
    Query(description="The books as they stood then; now if left out."),
]
Day = Annotated[date, AfterValidator(lambda day: min(max(day, EARLIEST.date()), LATEST.date()))]
CSV = {"description": "One line for each leg.", "content": {"text/csv": {"schema": {"type": "string"}}}}

router = Router(prefix="/admin")


@router.get("/trial-balance", responses=problems(NotFound))
async def read_trial_balance(principal: Reader, session: SessionDep, as_of: AsOf = None) -> TrialBalance:
    """See what every account of the ledger has; all of them sum up to 0. For operators."""
    async with as_operator(session, principal):
        return await reports.trial_balance(session, as_of)


@router.get("/recurring-revenue", responses=problems(NotFound))
async def read_recurring_revenue(principal: Reader, session: SessionDep, as_of: AsOf = None) -> RecurringRevenue:
    """See what the paid plans bring in a month and in a year (MRR, ARR). For operators."""
    async with as_operator(session, principal):
        return await reports.recurring_revenue(session, as_of)


@router.get("/churn", responses=problems(NotFound))
async def read_churn(
    principal: Reader,
    session: SessionDep,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="Length of the time looked at.")] = 30,
    as_of: AsOf = None,
) -> Churn:
    """See how many of the paid subscriptions ended in the days before. For operators."""
    async with as_operator(session, principal):
        end = as_of or await payments_now(session)
        return await reports.churn(session, end - timedelta(days=days), end)


@router.get("/deferred", responses=problems(NotFound, InvalidTimeSpan))
async def read_deferred(principal: Reader, session: SessionDep, first: Day, last: Day) -> Deferred:
    """See, for the end of each day, what is paid for and not yet delivered. For operators."""
    async with as_operator(session, principal):
        if not first <= last < first + timedelta(days=MOST_DAYS):
            raise InvalidTimeSpan(f"`last` must not lie before `first`, nor {MOST_DAYS} days or more after it")
        return await reports.deferred(session, first, last)


@router.get("/ledger", responses=problems(NotFound, InvalidCursor))
async def list_ledger(principal: Reader, session: SessionDep, limit: Limit = 50, cursor: Cursor = None) -> LedgerPage:
    """List the entries of the ledger, in the order in which they were posted. For operators."""
    async with as_operator(session, principal):
        page, last = await reports.list_entries(session, limit=limit, after=parse_cursor(cursor))
    return LedgerPage(items=page, next_cursor=cursor_of(last) if last else None)


@router.get("/ledger.csv", response_class=StreamingResponse, responses={200: CSV, **problems(NotFound)})
async def export_ledger(principal: Reader, session: SessionDep) -> StreamingResponse:
    """Take the whole ledger away as CSV, streamed. For operators."""
    async with as_operator(session, principal):
        headers = {"Content-Disposition": 'attachment; filename="ledger.csv"'}
    return StreamingResponse(reports.ledger_csv(), media_type="text/csv", headers=headers)
