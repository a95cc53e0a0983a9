"""Routes for people without an account who follow a link in a letter. None of them is a GET: scanners follow those."""

from app.api.problems import problems
from app.api.routes import Router
from app.auth.routes.deps import DeviceDep
from app.nominees import service
from app.nominees.errors import CaseIsOver, CaseNotFound, LegacyLinkNotFound, TooManyLetters, WrongNomineeCode
from app.nominees.schemas.visits import (
    AddressOfNominee,
    CodeOfNominee,
    Confirmation,
    InvitationAnswer,
    LetterSent,
    LinkToken,
    NomineeToken,
)

router = Router()
ON_ITS_WAY = LetterSent(detail="If somebody named this address, an e-mail is on its way.")


@router.post("/invitations/answer", status_code=204, responses=problems(LegacyLinkNotFound))
async def answer_invitation(data: InvitationAnswer) -> None:
    """Accept or decline to be somebody's nominee."""
    await service.answer_invitation(data.token, accept=data.accept)


@router.post("/stop", status_code=204, responses=problems(LegacyLinkNotFound, CaseNotFound, CaseIsOver))
async def stop_release(data: LinkToken) -> None:
    """Stop the release of your own plan by the link in a letter, without signing in."""
    await service.stop_by_link(data.token)


@router.post("/confirm", status_code=204, responses=problems(LegacyLinkNotFound, CaseNotFound, CaseIsOver))
async def confirm_release(data: Confirmation) -> None:
    """Say as trusted person whether a release shall go on."""
    await service.confirm_by_link(data.token, agree=data.agree)


@router.post("/drills/answer", status_code=204, responses=problems(LegacyLinkNotFound))
async def answer_drill(data: LinkToken) -> None:
    """Say that you got the letter of a drill."""
    await service.answer_drill(data.token)


@router.post("/sign-in", status_code=202, responses=problems(TooManyLetters))
async def request_sign_in(data: AddressOfNominee, device: DeviceDep) -> LetterSent:
    """Have a new sign-in link sent to you, if you are somebody's nominee. The answer does not tell."""
    await service.send_links(data.email, device.place)
    return ON_ITS_WAY


@router.post("/sign-in/code", status_code=202, responses=problems(LegacyLinkNotFound, TooManyLetters))
async def request_code(data: LinkToken) -> LetterSent:
    """Have a code sent for a sign-in link."""
    await service.send_code(data.token)
    return ON_ITS_WAY


@router.post("/token", responses=problems(LegacyLinkNotFound, WrongNomineeCode))
async def create_nominee_token(data: CodeOfNominee) -> NomineeToken:
    """Sign in as a nominee, by a link and the code that was sent for it.

    The token opens the operations under /v1/nominees/visit, for some hours, and nothing else.
    """
    return await service.sign_in(data.token, data.code)
