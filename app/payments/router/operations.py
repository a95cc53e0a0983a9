"""The route of what the provider was asked for."""

from uuid import UUID

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.payments.errors import NotThePayer, OperationNotFound
from app.payments.policy import as_family
from app.payments.router.access import Reader
from app.payments.schemas.operations import OperationRead
from app.payments.services import families, resolving

router = Router()


@router.get("/operations/{operation_id}", responses=problems(NotThePayer, OperationNotFound))
async def read_operation(operation_id: UUID, principal: Reader, session: SessionDep) -> OperationRead:
    """See what became of a request that was answered by 202. Only for the person who pays."""
    family_id = await families.require_payer(session, principal)
    async with as_family(session, family_id):
        return OperationRead.model_validate(await resolving.read_operation(session, family_id, operation_id))
