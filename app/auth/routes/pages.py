"""The pages that links in e-mails lead to. A GET changes nothing, as mail scanners follow links; the button posts."""

from html import escape
from typing import Annotated, Literal

from fastapi import Form, Query
from pydantic import Field
from starlette.responses import Response

from app.api.routes import Router
from app.auth import service
from app.auth.errors import InvalidLink, WeakPassword
from app.auth.schemas import Password, ResetRequest, Token
from app.core import html
from app.core.schemas import RequestModel

FORM = '<form method="post"><input type="hidden" name="token" value="{token}">{fields}<button>{action}</button></form>'
NEW_FIELD = """<label>New password
<input type="password" name="password" autocomplete="new-password" required autofocus></label>"""

Kind = Literal["verify", "reset"]
TITLES: dict[Kind, str] = {"verify": "Confirm your e-mail address", "reset": "Set a new password"}

router = Router(prefix="/links", include_in_schema=False)


class LinkForm(RequestModel):
    """What the buttons send; a password belongs to a reset only."""

    token: Token
    password: Password = Field(default="")


@router.get("/{kind}")
async def show(kind: Kind, token: Annotated[Token, Query()]) -> Response:
    """Show the button that uses a link."""
    return _form(kind, token)


@router.post("/verify")
async def verify(form: Annotated[LinkForm, Form()]) -> Response:
    """Confirm an address."""
    try:
        await service.verify_email(form.token)
    except InvalidLink as error:
        return page(error.title, "<p>Ask for a new one where you sign in.</p>", error.status)
    return page("Thank you", "<p>Your e-mail address is confirmed. You can sign in now.</p>")


@router.post("/reset")
async def reset(form: Annotated[LinkForm, Form()]) -> Response:
    """Set a new password."""
    try:
        await service.reset_password(ResetRequest(token=form.token, password=form.password))
    except WeakPassword as error:
        return _form("reset", form.token, error.detail or error.title, error.status)
    except InvalidLink as error:
        return page(error.title, "<p>Ask for a new one where you sign in.</p>", error.status)
    return page("Your new password is set", "<p>All devices were signed out. You can sign in now.</p>")


def _form(kind: Kind, token: str, problem: str = "", status: int = 200) -> Response:
    fields = f"<p>{escape(problem)}</p>{NEW_FIELD}" if kind == "reset" else ""
    return page(TITLES[kind], FORM.format(token=escape(token), fields=fields, action=TITLES[kind]), status)


def page(title: str, content: str, status: int = 200) -> Response:
    """A page for somebody who followed a link; `content` is HTML, in which what people wrote is escaped."""
    return Response(html.page(title, content), status, html.HEADERS, "text/html")
