"""The pages that links in letters lead to. A GET changes nothing, as mail scanners follow links; the buttons post."""

from html import escape
from typing import Annotated, Final, Literal

from fastapi import Form, Query
from pydantic import StringConstraints
from starlette.responses import Response

from app.api.routes import Router
from app.auth.routes.pages import page
from app.core.errors import AppError
from app.core.schemas import RequestModel
from app.reminders import service
from app.reminders.schemas import Preset
from app.reminders.wording import day_text

Token = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{43}$")]
Kind = Literal["done", "snooze"]
LABELS: Final[dict[Preset, str]] = {"tomorrow": "Tomorrow", "week": "In a week", "month": "In a month"}
DONE: Final = (
    '<form method="post" action="done"><input type="hidden" name="token" value="{token}">'
    "<p><button>It is done</button></p></form>"
)
LATER: Final = (
    '<form method="post" action="snooze"><input type="hidden" name="token" value="{token}">'
    "<p>Remind me again:</p><p>{buttons}</p></form>"
)

router = Router(prefix="/reminders/links", include_in_schema=False)


class DoneForm(RequestModel):
    """What the first button sends."""

    token: Token


class SnoozeForm(RequestModel):
    """What the other buttons send."""

    token: Token
    preset: Preset = "tomorrow"


@router.get("/{kind}")
async def show(kind: Kind, token: Annotated[Token, Query()]) -> Response:
    """Show the buttons; the page does not say what the reminder is about."""
    try:
        day = await service.read_link(token)
    except AppError as error:
        return _refusal(error)
    buttons = " ".join(f'<button name="preset" value="{name}">{label}</button>' for name, label in LABELS.items())
    forms = [DONE.format(token=escape(token)), LATER.format(token=escape(token), buttons=buttons)]
    return page(f"Your reminder for {day_text(day)}", "".join(forms if kind == "done" else reversed(forms)))


@router.post("/done")
async def done(form: Annotated[DoneForm, Form()]) -> Response:
    """Say that it is done."""
    try:
        await service.done_by_link(form.token)
    except AppError as error:
        return _refusal(error)
    return page("Done", "<p>You are not reminded of it any more. In LifeVault you can take this back.</p>")


@router.post("/snooze")
async def snooze(form: Annotated[SnoozeForm, Form()]) -> Response:
    """Put it off."""
    try:
        await service.snooze_by_link(form.token, form.preset)
    except AppError as error:
        return _refusal(error)
    return page("Until later", "<p>You will be reminded again.</p>")


def _refusal(error: AppError) -> Response:
    return page(
        error.title, "<p>It may have been done, changed or deleted since the letter was written.</p>", error.status
    )
