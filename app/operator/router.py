"""`/operator`: how the installation is, for those who run it. Who does not finds nothing here."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Form, Request
from pydantic import ValidationError
from starlette.responses import Response

from app.api.deps import device_of
from app.api.routes import Router
from app.auth.errors import InvalidChallenge, SecondFactorRequired
from app.auth.factor_schemas import SecondFactorAnswer
from app.core.errors import AppError, NotFound, TooManyRequests, Unauthorized
from app.db.runtime import current
from app.operator import pages, sessions
from app.operator.figures import figures
from app.operator.schemas import Figures, SecondFactorForm, SignInForm


async def require_operators() -> None:
    """Where nobody is an operator there is no such page. Raises `NotFound`."""
    if not current().settings.operators:
        raise NotFound


router = Router(prefix="/operator", include_in_schema=False, dependencies=[Depends(require_operators)])


@router.get("")
async def show(request: Request) -> Response:
    """Show the page to an operator, and everybody else how to become one."""
    try:
        async with sessions.as_operator(request):
            return pages.board()
    except NotFound:
        return pages.sign_in("")


@router.get("/figures")
async def read_figures(request: Request) -> Figures:
    """Tell the numbers. 404 for everybody but operators."""
    async with sessions.as_operator(request) as session:
        return await figures(session)


@router.post("/sign-in")
async def sign_in(form: Annotated[SignInForm, Form()], request: Request) -> Response:
    """Let an operator in, or ask for the second factor."""
    sessions.require_own_form(request)
    try:
        cookie = await sessions.sign_in(form.email, form.password, device_of(request))
    except SecondFactorRequired as asked:
        return pages.second_factor("../", asked)
    except NotFound:
        raise
    except AppError as error:
        return pages.sign_in("../", error)
    return _let_in(cookie)


@router.post("/second-factor")
async def finish_sign_in(form: Annotated[SecondFactorForm, Form()], request: Request) -> Response:
    """Let an operator in who has answered."""
    sessions.require_own_form(request)
    try:
        cookie = await sessions.finish_sign_in(_answer(form), device_of(request))
    except (Unauthorized, TooManyRequests) as error:
        return pages.refused("../", error)
    return _let_in(cookie)


def _answer(form: SecondFactorForm) -> SecondFactorAnswer:
    """Raises `InvalidChallenge` for what is no answer at all."""
    code = form.answer.replace(" ", "")
    proof: dict[str, Any] = {"code": code} if code.isdigit() and len(code) == 6 else {"recovery_code": form.answer}
    try:
        if form.passkey:
            proof = {"passkey": orjson.loads(form.passkey)}
        return SecondFactorAnswer.model_validate({"challenge": form.challenge, **proof})
    except (ValidationError, orjson.JSONDecodeError):
        raise InvalidChallenge from None


def _let_in(cookie: str) -> Response:
    return sessions.set_cookie(pages.go_to_board(), cookie)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    sessions.require_own_form(request)
    await sessions.sign_out(request)
    return sessions.clear_cookie(pages.go_to_board())


@router.get("/files/{name}")
async def file(name: str) -> Response:
    """Serve one of the pages' files."""
    return pages.file(name)
