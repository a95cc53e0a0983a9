"""Pages for nominees who are signed in, for browsers without scripts. The token goes from page to page in a hidden
field, so there is no cookie that anybody could mistake for a sign-in.
"""

from html import escape
from typing import Annotated
from uuid import UUID

from fastapi import Form, Request
from starlette.responses import Response

from app.api.deps import SessionDep
from app.api.routes import Router
from app.core.html import form, hidden
from app.core.schemas import RequestModel
from app.nominees import service
from app.nominees.errors import InvalidNomineeToken, WrongNomineeCode
from app.nominees.router.access import content_type
from app.nominees.router.fragments import case_of_plan, documents_of, items_of, releases_of
from app.nominees.router.links import CodeForm, as_page, ask_for_code, shown
from app.nominees.router.visit import store_proof
from app.nominees.schemas.visits import Note, Token
from app.vault.router.downloads import streamed
from app.vault.router.forms import UploadForm
from app.vault.router.uploads import body_of
from app.vault.service import Filters

PAGES = "/v1/nominees/pages"
MOST_SHOWN = 100

router = Router(prefix="/pages", include_in_schema=False)


class DeskForm(RequestModel):
    """Who is there."""

    visit: Token


class PlanForm(DeskForm):
    """A plan."""

    plan_id: UUID


class WordForm(DeskForm):
    """A trusted person's word."""

    case_id: UUID
    answer: str


class AttestForm(DeskForm):
    """An attestation."""

    case_id: UUID
    note: Note = ""


class VaultForm(DeskForm):
    """A vault, or a document in it."""

    vault_id: UUID
    document_id: UUID | None = None
    after: UUID | None = None


@router.post("/enter")
@as_page
async def enter(data: Annotated[CodeForm, Form()], session: SessionDep) -> Response:
    """Sign in by link and code."""
    try:
        opened = await service.sign_in(data.token, data.code)
    except WrongNomineeCode as error:
        return ask_for_code(data.token, error.title, error.status)
    return await _desk(opened.access_token, session)


@router.post("/visit")
@as_page
async def show_desk(data: Annotated[DeskForm, Form()], session: SessionDep) -> Response:
    """See what there is to see and to do."""
    return await _desk(data.visit, session)


async def _desk(token: str, session: SessionDep) -> Response:
    guest = await service.enter_as_nominee(session, token)
    visit = await service.read_visit(session, guest)
    released = await service.read_released(session, guest)
    parts = [f"<p>Hello {escape(visit.name)}, {escape(visit.owner)} has named you.</p>", releases_of(released, token)]
    parts += [case_of_plan(plan, token) for plan in visit.plans]
    parts.append(form(f"{PAGES}/sign-out", "Sign out", hidden(visit=token), kind="no"))
    return shown(f"For you from {visit.owner}", "".join(parts), wide=True)


@router.post("/ask")
@as_page
async def ask(data: Annotated[PlanForm, Form()], session: SessionDep) -> Response:
    """Ask for a release."""
    guest = await service.enter_as_nominee(session, data.visit)
    await service.ask(session, guest, data.plan_id)
    return await _desk_after(data.visit, session)


async def _desk_after(token: str, session: SessionDep) -> Response:
    """The desk as it is after something was done."""
    await session.commit()
    return await _desk(token, session)


@router.post("/confirm")
@as_page
async def confirm(data: Annotated[WordForm, Form()], session: SessionDep) -> Response:
    """Take a trusted person's word."""
    guest = await service.enter_as_nominee(session, data.visit)
    await service.confirm(session, guest, data.case_id, agree=data.answer == "yes")
    return await _desk_after(data.visit, session)


@router.post("/attest")
@as_page
async def attest(data: Annotated[AttestForm, Form()], session: SessionDep) -> Response:
    """Take an attestation."""
    guest = await service.enter_as_nominee(session, data.visit)
    await service.attest(session, guest, data.case_id, data.note)
    return await _desk_after(data.visit, session)


@router.post("/proofs")
@as_page
async def create_proof(request: Request, session: SessionDep) -> Response:
    """Take a proof; the hidden fields stand before the file."""
    try:
        upload = UploadForm(content_type(request), body_of(request))
        await upload.seek_file()
        token, case_id = upload.texts["visit"][-1], UUID(upload.texts["case_id"][-1])
        guest = await service.enter_as_nominee(session, token)
        await service.require_proof_room(session, guest, case_id)
        await session.commit()  # no connection is held while the file arrives
        await store_proof(session, guest, case_id, upload)
    except (KeyError, ValueError):
        raise InvalidNomineeToken from None
    return await _desk(token, session)


@router.post("/items")
@as_page
async def show_items(data: Annotated[VaultForm, Form()], session: SessionDep) -> Response:
    """Show the records of a vault."""
    guest = await service.enter_as_nominee(session, data.visit)
    filters = Filters(limit=MOST_SHOWN, before=data.after)
    items, last = await service.list_items(session, guest, data.vault_id, filters)
    return shown("Records", items_of(items, last, data.vault_id, data.visit), wide=True)


@router.post("/documents")
@as_page
async def show_documents(data: Annotated[VaultForm, Form()], session: SessionDep) -> Response:
    """Show the documents of a vault."""
    guest = await service.enter_as_nominee(session, data.visit)
    filters = Filters(limit=MOST_SHOWN, before=data.after)
    documents, last = await service.list_documents(session, guest, data.vault_id, filters)
    return shown("Documents", documents_of(documents, last, data.vault_id, data.visit), wide=True)


@router.post("/content")
@as_page
async def download(data: Annotated[VaultForm, Form()], session: SessionDep) -> Response:
    """Download a document."""
    guest = await service.enter_as_nominee(session, data.visit)
    content = await service.open_document(session, guest, data.vault_id, data.document_id or data.vault_id)
    return await streamed(content)


@router.post("/sign-out")
@as_page
async def sign_out(data: Annotated[DeskForm, Form()], session: SessionDep) -> Response:
    """End the sign-in."""
    await service.sign_out(session, await service.enter_as_nominee(session, data.visit))
    return shown("You are signed out", "<p>You can close this page.</p>")
