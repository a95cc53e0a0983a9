"""What the routes share that ask the provider for something."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.core.errors import AppError
from app.payments.errors import (
    NotThePayer,
    OperationRunning,
    PaymentDeclined,
    PaymentsOff,
    ProviderRefused,
    ProviderUnreachable,
)
from app.payments.schemas.operations import OperationPending
from app.payments.services.commands import Outcome

ASKING: Final[tuple[type[AppError], ...]] = (NotThePayer, ProviderRefused, ProviderUnreachable)
COMMANDING: Final[tuple[type[AppError], ...]] = (*ASKING, PaymentsOff, OperationRunning)
PAYING: Final[tuple[type[AppError], ...]] = (*COMMANDING, PaymentDeclined)
PENDING: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "model": OperationPending,
        "description": "The payment provider has not answered yet; follow the operation.",
    }
}


def pending(outcome: Outcome) -> Response | None:
    """The answer 202 for a command that is not settled; None for one that has succeeded."""
    if outcome.state == "succeeded":
        return None
    shown = OperationPending.model_validate({"operation_id": outcome.operation_id, "state": outcome.state})
    return Response(shown.model_dump_json(), 202, media_type="application/json")


async def let_go(session: AsyncSession) -> None:
    """Give the connection back before the provider is asked, which may take long."""
    await session.commit()
