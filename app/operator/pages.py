"""The operators' pages: plain HTML whose style and scripts are files of this package."""

from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

import orjson
from starlette.responses import RedirectResponse, Response

from app.auth.errors import SecondFactorRequired
from app.core.errors import AppError, NotFound

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
HEADERS: Final = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
FILES: Final = {
    "operator.css": "text/css",
    "board.js": "text/javascript",
    "charts.js": "text/javascript",
    "history.js": "text/javascript",
    "passkey.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
SHELL: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} · LifeVault</title>
<link rel="icon" href="{base}operator/files/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{base}operator/files/operator.css">{head}</head>
<body class="door"><main class="card"><img src="{base}operator/files/icon.svg" alt="" width="44" height="44">
<h1>{title}</h1>{content}</main></body></html>"""
SIGN_IN: Final = """<p class="lead">For those who run this installation.</p>{problem}
<form method="post" action="{base}operator/sign-in">
<label>E-mail address<input name="email" type="email" autocomplete="username" required maxlength="320" {focus}></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button class="main">Sign in</button></form>"""
SECOND: Final = """<p class="lead">One more step: the code of your app, or one of your recovery codes.</p>{problem}
<form method="post" action="{base}operator/second-factor" id="second">
<input type="hidden" name="challenge" value="{challenge}"><input type="hidden" name="passkey" value="">
<label>Code<input name="answer" autocomplete="one-time-code" maxlength="40" autofocus></label>
<button class="main">Go on</button>{passkey}</form><p class="hint"><a href="{base}operator">Begin again</a></p>"""
PASSKEY: Final = """<button type="button" id="use-passkey" data-options="{options}">Use a passkey instead</button>"""
PROBLEM: Final = '<p class="problem" role="alert">{text}</p>'


class FileNotFoundThere(NotFound):
    """Not one of the files of the operators' page."""


def board() -> Response:
    """The page itself; its numbers are fetched by its script."""
    return Response(_content("board.html"), headers=HEADERS, media_type="text/html")


def sign_in(base: str, error: AppError | None = None) -> Response:
    """The first form; with what was wrong with it the last time."""
    content = SIGN_IN.format(base=base, problem=_problem(error), focus="" if error else "autofocus")
    return _door("Operators", base, content, error)


def second_factor(base: str, asked: SecondFactorRequired) -> Response:
    """The form for a code or a passkey."""
    options = asked.extra.get("passkey_options")
    passkey = PASSKEY.format(options=escape(orjson.dumps(options).decode())) if options else ""
    challenge = escape(str(asked.extra["challenge"]))
    content = SECOND.format(base=base, problem="", challenge=challenge, passkey=passkey)
    head = f'<script type="module" src="{base}operator/files/passkey.js"></script>' if options else ""
    return _door("Is it you?", base, content, asked, head=head)


def refused(base: str, error: AppError) -> Response:
    """A page for something that is not possible."""
    again = f'<p class="hint"><a href="{base}operator">Begin again</a></p>'
    return _door(error.title, base, _problem(error) + again, error)


def go_to_board() -> Response:
    """Send the browser from a form to the page."""
    return RedirectResponse("../operator", 303, {"Cache-Control": "no-store"})


def file(name: str) -> Response:
    """One of the pages' files. Raises `FileNotFoundThere`."""
    if name not in FILES:
        raise FileNotFoundThere
    return Response(_content(name), headers={"Cache-Control": "no-cache"}, media_type=FILES[name])


def _door(title: str, base: str, content: str, error: AppError | None, *, head: str = "") -> Response:
    html = SHELL.format(title=escape(title), base=base, content=content, head=head)
    headers = HEADERS | (error.headers if error else {})
    return Response(html, error.status if error else 200, headers, "text/html")


def _problem(error: AppError | None) -> str:
    if error is None:
        return ""
    return PROBLEM.format(text=escape(". ".join(filter(None, (error.title, error.detail)))))


@cache
def _content(name: str) -> bytes:
    return files("app.operator").joinpath("static", name).read_bytes()
