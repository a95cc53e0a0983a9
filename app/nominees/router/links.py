"""The pages that links in letters lead to. A GET changes nothing, as mail scanners follow links; the buttons post."""

from collections.abc import Awaitable, Callable
from functools import wraps
from html import escape
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Form, Query
from starlette.responses import Response

from app.api.routes import Router
from app.core.errors import AppError
from app.core.html import HEADERS, form, hidden, page
from app.core.schemas import RequestModel
from app.nominees import service
from app.nominees.schemas.visits import SixDigits, Token

LINKS = "/v1/nominees/links"
Kind: TypeAlias = Literal["invitation", "stop", "confirm", "drill", "sign-in"]
Endpoint: TypeAlias = Callable[..., Awaitable[Response]]
CODE_FIELD = (
    '<label>The code in the e-mail<input name="code" inputmode="numeric" autocomplete="one-time-code" required></label>'
)

router = Router(prefix="/links", include_in_schema=False)
LinkQuery = Annotated[Token, Query()]


class LinkForm(RequestModel):
    """What most buttons send."""

    token: Token


class AnswerForm(LinkForm):
    """What buttons send that come in pairs."""

    answer: Literal["yes", "no"]


class CodeForm(LinkForm):
    """A link and the code that was mailed for it."""

    code: SixDigits


def shown(title: str, content: str, status: int = 200, *, wide: bool = False) -> Response:
    """A page as a response."""
    return Response(page(title, content, wide=wide), status, HEADERS, "text/html")


def refused(error: AppError) -> Response:
    """A page for something that is not possible."""
    return shown(error.title, f"<p>{escape(error.detail or 'Nothing was changed.')}</p>", error.status)


def as_page(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint show its errors as pages, and change nothing when it has one."""

    @wraps(endpoint)
    async def answer(**arguments: Any) -> Response:
        try:
            return await endpoint(**arguments)
        except AppError as error:
            if session := arguments.get("session"):
                await session.rollback()
            return refused(error)

    return answer


def _choice(kind: Kind, token: str, yes: str, no: str) -> str:
    buttons = (("yes", yes, ""), ("no", no, "no"))
    return "".join(
        form(f"{LINKS}/{kind}", text, hidden(token=token, answer=a), kind=style) for a, text, style in buttons
    )


@router.get("/invitation")
@as_page
async def show_invitation(token: LinkQuery) -> Response:
    """Ask whether somebody wants to be a nominee."""
    owner = await service.find_invitation(token)
    text = f"""<p>{escape(owner)} has named you as somebody who is to be there when it is needed: to get something one
day, or to be asked for your word. You need no account, and nothing happens now.</p>"""
    return shown(f"{owner} trusts you", text + _choice("invitation", token, "Accept", "Decline"))


@router.post("/invitation")
@as_page
async def answer_invitation(data: Annotated[AnswerForm, Form()]) -> Response:
    """Accept or decline."""
    await service.answer_invitation(data.token, accept=data.answer == "yes")
    if data.answer == "no":
        return shown("You have declined", "<p>The person who named you is told so.</p>")
    return shown("Thank you", "<p>The person who named you is told so. An e-mail says what you can do; keep it.</p>")


@router.get("/stop")
@as_page
async def show_stop(token: LinkQuery) -> Response:
    """Ask an owner whether to stop a release."""
    await service.find_stop(token)
    text = "<p>What has been released already is taken back at once. Your plan stays as it is.</p>"
    return shown("Stop the release?", text + form(f"{LINKS}/stop", "Stop it", hidden(token=token)))


@router.post("/stop")
@as_page
async def stop(data: Annotated[LinkForm, Form()]) -> Response:
    """Stop a release."""
    await service.stop_by_link(data.token)
    return shown("It is stopped", "<p>Nothing is released. Everybody who knew of it is told so.</p>")


@router.get("/confirm")
@as_page
async def show_confirm(token: LinkQuery) -> Response:
    """Ask a trusted person for their word."""
    owner = await service.find_confirmation(token)
    text = f"<p>Is it right that what {escape(owner)} has arranged for this case is released after a last wait?</p>"
    choice = _choice("confirm", token, "Yes, let it go on", "No, stop it")
    return shown(f"Your word for {owner}", text + choice)


@router.post("/confirm")
@as_page
async def confirm(data: Annotated[AnswerForm, Form()]) -> Response:
    """Take a trusted person's word."""
    await service.confirm_by_link(data.token, agree=data.answer == "yes")
    return shown("Thank you", "<p>Your word is noted.</p>")


@router.get("/drill")
@as_page
async def show_drill(token: LinkQuery) -> Response:
    """Ask somebody to answer in a drill."""
    owner = escape(await service.find_drill(token))
    text = f"<p>This is only a drill by {owner}: nothing is released. The button says that you got the e-mail.</p>"
    return shown("A drill", text + form(f"{LINKS}/drill", "I got it", hidden(token=token)))


@router.post("/drill")
@as_page
async def answer_drill(data: Annotated[LinkForm, Form()]) -> Response:
    """Answer in a drill."""
    await service.answer_drill(data.token)
    return shown("Thank you", "<p>Your answer is noted. There is nothing else to do.</p>")


@router.get("/sign-in")
@as_page
async def show_sign_in(token: LinkQuery) -> Response:
    """Offer a nominee a code."""
    await service.find_sign_in(token)
    text = "<p>To make sure that it is you, a code is sent to your address.</p>"
    return shown("Sign in as nominee", text + form(f"{LINKS}/sign-in", "Send me the code", hidden(token=token)))


@router.post("/sign-in")
@as_page
async def send_code(data: Annotated[LinkForm, Form()]) -> Response:
    """Send a code, and ask for it."""
    await service.send_code(data.token)
    return ask_for_code(data.token)


def ask_for_code(token: str, problem: str = "", status: int = 200) -> Response:
    """Ask for the code that was sent."""
    fields = f"<p>{escape(problem)}</p>{CODE_FIELD}{hidden(token=token)}"
    return shown("Enter the code", form("/v1/nominees/pages/enter", "Sign in", fields), status)
