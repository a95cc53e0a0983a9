"""Routes of nominees who are signed in: see what they are named for, ask, confirm, attest."""

from uuid import UUID

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep
from app.api.limits import BodyTooLarge
from app.api.problems import problems
from app.api.routes import Router
from app.db.runtime import current
from app.nominees import service
from app.nominees.errors import (
    CaseIsOver,
    CaseNotFound,
    CoolingDown,
    LegacyPlanNotFound,
    PlanNotArmed,
    ProofMissing,
    ProofNotFound,
    TooManyProofs,
)
from app.nominees.router.access import A_FILE, GuestDep, content_type
from app.nominees.router.cases import proof_file
from app.nominees.schemas.cases import ProofRead
from app.nominees.schemas.visits import AttestationCreate, ConfirmationByVisitor, Visit
from app.vault import service as vaults
from app.vault.errors import ContentDamaged, EmptyFile, FileTooLarge, UploadInterrupted
from app.vault.router.forms import UploadForm
from app.vault.router.uploads import FORM_ERRORS, body_of

router = Router(prefix="/visit")
FORM = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "additionalProperties": False,
            "properties": {"file": {"type": "string", "format": "binary", "minLength": 1}},
        },
        "encoding": {"file": {"contentType": "application/octet-stream"}},
    }
}
UPLOAD_ERRORS = (*FORM_ERRORS, UploadInterrupted, BodyTooLarge, FileTooLarge, EmptyFile, TooManyProofs)


@router.get("")
async def read_visit(guest: GuestDep, session: SessionDep) -> Visit:
    """See the plans that name you, and the releases that are going on."""
    return await service.read_visit(session, guest)


@router.post("/plans/{plan_id}/ask", responses=problems(LegacyPlanNotFound, PlanNotArmed, CoolingDown))
async def ask(plan_id: UUID, guest: GuestDep, session: SessionDep) -> Visit:
    """Ask for the release of a plan. Its owner is warned at once, several times, and can stop it at any time."""
    return await service.ask(session, guest, plan_id)


@router.post("/cases/{case_id}/confirm", responses=problems(CaseNotFound, CaseIsOver))
async def confirm(case_id: UUID, data: ConfirmationByVisitor, guest: GuestDep, session: SessionDep) -> Visit:
    """Say as trusted person whether a release shall go on."""
    return await service.confirm(session, guest, case_id, agree=data.agree)


@router.post("/cases/{case_id}/attest", responses=problems(CaseNotFound, CaseIsOver, ProofMissing))
async def attest(case_id: UUID, data: AttestationCreate, guest: GuestDep, session: SessionDep) -> Visit:
    """Attest that the owner has died, as a proof in the case shows. All others can read your word."""
    return await service.attest(session, guest, case_id, data.note)


@router.post(
    "/cases/{case_id}/proofs",
    status_code=201,
    responses=problems(CaseNotFound, CaseIsOver, *UPLOAD_ERRORS),
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create_proof(case_id: UUID, request: Request, guest: GuestDep, session: SessionDep) -> ProofRead:
    """Upload a proof, such as a death certificate. The owner and all who decide in the case can read it."""
    await service.require_proof_room(session, guest, case_id)
    form = UploadForm(content_type(request), body_of(request))
    await form.seek_file()
    await session.commit()  # no connection is held while the file arrives
    return await store_proof(session, guest, case_id, form)


async def store_proof(session: SessionDep, guest: service.Guest, case_id: UUID, form: UploadForm) -> ProofRead:
    """Store the file of a form that stands at it."""
    async with vaults.stored_file(form.file(), form.file_name, current().settings.max_proof_bytes) as file:
        await form.finish()
        proof = await service.add_proof(session, guest, case_id, file)
        await session.commit()  # the file stays only if its row does
    return proof


@router.get(
    "/cases/{case_id}/proofs/{proof_id}/content",
    response_class=StreamingResponse,
    responses={
        200: A_FILE,
        **problems(CaseNotFound, ProofNotFound, ContentDamaged),
    },
)
async def read_proof_of_case(case_id: UUID, proof_id: UUID, guest: GuestDep, session: SessionDep) -> Response:
    """Download a proof in a case whose decision is yours, too."""
    return proof_file(await service.open_proof(session, guest, case_id, proof_id))


@router.post("/withdraw", status_code=204)
async def withdraw(guest: GuestDep, session: SessionDep) -> None:
    """Be this owner's nominee no more. The owner is told."""
    await service.withdraw(session, guest)


@router.post("/sign-out", status_code=204)
async def sign_out(guest: GuestDep, session: SessionDep) -> None:
    """End this sign-in."""
    await service.sign_out(session, guest)
