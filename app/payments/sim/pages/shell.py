"""What every page has: a strict policy, no scripts, and forms that only their own visitor can send."""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.payments.sim.api import read_body
from app.payments.sim.core.errors import Missing, Refused
from app.payments.sim.core.store import Store
from app.payments.sim.engine.cards import BY_NAME, ON_PAGES, TestCard, card_by_number

TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = (TEMPLATES / "style.css").read_text()
STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
COOKIE: Final = "lifevault_simulator"
LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")
_environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)


def page(
    request: Request, store: Store, template: str, *, status: int = 200, leads_to: str | None = None, **values: Any
) -> Response:
    """A page. `leads_to` is an address of others that its form may end at."""
    browser = request.cookies.get(COOKIE, "")
    if len(browser) != 43:
        browser = secrets.token_urlsafe(32)
    values |= {"csrf": _csrf(store, browser, request.url.path), "style": Markup(STYLE), "cards": ON_PAGES}  # noqa: S704
    body = _environment.get_template(template).render(values)
    response = HTMLResponse(body, status, _headers(leads_to))
    secure = store.setup.public_url.startswith("https://")
    response.set_cookie(COOKIE, browser, httponly=True, samesite="lax", secure=secure)
    return response


def message(
    request: Request, store: Store, heading: str, text: str, *, link: str | None = None, status: int = 200
) -> Response:
    """A page that only says something."""
    shown = {"heading": heading, "text": text, "link": link, "link_text": "Continue"}
    return page(request, store, "message.html", status=status, **shown)


def go_to(url: str) -> Response:
    """Send the browser on; the next request is a GET."""
    return RedirectResponse(url, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


async def read_form(request: Request, store: Store) -> dict[str, str]:
    """The fields of a form of ours. Raises `Refused` for one that is not from this visitor's page."""
    form = dict(parse_qsl(await read_body(request), max_num_fields=20))
    wanted = _csrf(store, request.cookies.get(COOKIE, ""), request.url.path)
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if is_foreign or not hmac.compare_digest(form.get("csrf", "").encode(), wanted.encode()):
        raise Refused("This form is too old, or not from this page. Load the page again.", code="form_not_ours")
    return form


def check_host(request: Request, store: Store) -> None:
    """Answer to our own names only, so that no foreign page can pose as us. Raises `Missing`."""
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in LOCAL and host != urlsplit(store.setup.public_url).netloc:
        raise Missing("Not here.")


def chosen_card(form: dict[str, str]) -> TestCard:
    """The test card of a form. Raises `Declined` for other numbers and `Refused` for none."""
    name = form.get("card", "")
    if name == "number":
        return card_by_number(form.get("number", "")[:30])
    if name not in BY_NAME:
        raise Refused("Choose a card.")
    return BY_NAME[name]


def _csrf(store: Store, browser: str, path: str) -> str:
    key = store.note("form_key")
    if key is None:
        key = secrets.token_hex(32)
        store.set_note("form_key", key)
    return hmac.new(bytes.fromhex(key), f"{browser}|{path}".encode(), hashlib.sha256).hexdigest()


def _headers(leads_to: str | None) -> dict[str, str]:
    place = urlsplit(leads_to or "")
    target = f" {place.scheme}://{place.netloc}" if place.scheme in ("http", "https") else ""
    target = target or (f" {place.scheme}:" if place.scheme else "")
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'{target};"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
