"""The pages of a share, for somebody who has nothing but a link.

The token stands behind the # of the link, so it is neither sent nor logged when the page is fetched. A GET shows a
button and nothing else: mail scanners follow links, and some run scripts, but none of them spends a view.
"""

import base64
import hashlib
from html import escape
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from starlette.responses import Response

from app.api.deps import device_of
from app.api.routes import Router
from app.core.errors import AppError
from app.core.schemas import RequestModel
from app.vault import service
from app.vault.errors import ShareNotFound, SharePasswordNeeded, TooManyTries
from app.vault.router.downloads import streamed
from app.vault.schemas.shares import GivenPassword, SharedField, SharedFile, SharedItem, SharedRead, ShareToken

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;color:#1d2530}
h1{font-size:1.5rem;margin-bottom:.2rem}.by{color:#5a6675;margin-top:0}
button,input{font:inherit;padding:.6rem 1rem;border-radius:6px;border:1px solid #8894a4}
input{width:100%;box-sizing:border-box;margin:.3rem 0 1rem}button{background:#14532d;border:0;color:#fff}
dt{color:#5a6675;font-size:.85rem;margin-top:.8rem}dd,pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}
summary{cursor:pointer;color:#14532d}.problem{color:#9b1c1c}footer{margin-top:3rem;color:#5a6675;font-size:.85rem}
"""
# The fragment of the address goes into the form, and out of the address bar.
SCRIPT = """
const token = location.hash.slice(1), field = document.getElementById("token");
if (token) { field.labels[0].hidden = true; field.value = token; field.type = "hidden"; }
history.replaceState(null, "", location.pathname);
"""


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash_of(STYLE)}; script-src {_hash_of(SCRIPT)}; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1>{content}</main><footer>LifeVault</footer></body></html>"""
START = """<p>Somebody shares something with you. It is shown when you ask for it, and that counts as one view.</p>
<form method="post"><label for="token">Code of the link</label>
<input id="token" name="token" required autocomplete="off"><button>Show it</button></form>
<script>{script}</script>"""
ASK_AGAIN = """<form method="post"><input type="hidden" name="token" value="{token}">
<label>Password <input type="password" name="password" autocomplete="off" required autofocus></label>
<button>Show it</button></form>"""
FILE_FORM = """<dl><dt>File</dt><dd>{name}</dd><dt>Size</dt><dd>{size}</dd></dl>
<form method="post" action="shared/file"><input type="hidden" name="ticket" value="{ticket}">
<p><button>Download</button></p></form>"""
MASKED = "<details><summary>Show</summary><span>{value}</span></details>"
GONE = "<p>It may have expired, been opened as often as it may, or been taken back. Ask who sent it to you.</p>"
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))

router = Router(prefix="/shared", include_in_schema=False)


class OpenForm(RequestModel):
    """What the button sends."""

    token: ShareToken
    password: GivenPassword = Field(default="")


class FileForm(RequestModel):
    """What the button below a file sends."""

    ticket: ShareToken


@router.get("")
async def show_start() -> Response:
    """Show the button; the same page for every link."""
    return _page("Something for you", START.format(script=SCRIPT))


@router.post("")
async def show_share(form: Annotated[OpenForm, Form()], request: Request) -> Response:
    """Show what is shared."""
    try:
        shared = await service.open_share(form.token, form.password, device_of(request))
    except SharePasswordNeeded as error:
        problem = f'<p class="problem">{escape("This is not the password.")}</p>' if form.password else ""
        return _page("A password, please", problem + ASK_AGAIN.format(token=escape(form.token)), error.status)
    except (ShareNotFound, TooManyTries) as error:
        return _refused(error)
    return _shown(shared)


@router.post("/file")
async def send_file(form: Annotated[FileForm, Form()]) -> Response:
    """Send the file that was shown."""
    try:
        content = await service.open_shared_file(form.ticket)
    except ShareNotFound as error:
        return _refused(error)
    return await streamed(content, None)


def _refused(error: AppError) -> Response:
    content = GONE if isinstance(error, ShareNotFound) else f"<p>{escape(error.detail or '')}</p>"
    return _page(error.title, content, error.status, error.headers)


def _shown(shared: SharedRead) -> Response:
    by = f'<p class="by">from {escape(shared.shared_by)}</p>'
    if shared.item:
        return _page(shared.item.title, by + _item(shared.item) + _left(shared))
    assert shared.file  # noqa: S101  it is one or the other
    return _page(shared.file.title, by + _file(shared.file) + _left(shared))


def _item(item: SharedItem) -> str:
    rows = "".join(f"<dt>{escape(field.label)}</dt><dd>{_value(field)}</dd>" for field in item.fields)
    notes = f"<h2>Notes</h2><pre>{escape(item.notes)}</pre>" if item.notes else ""
    return f"<p>{escape(item.label)}</p><dl>{rows}</dl>{notes}"


def _value(field: SharedField) -> str:
    value = escape(_text(field.value))
    return MASKED.format(value=value) if field.type == "secret" else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else str(value)


def _file(file: SharedFile) -> str:
    return FILE_FORM.format(name=escape(file.name), size=_size(file.size), ticket=escape(file.ticket))


def _size(size: int) -> str:
    return next((f"{size / unit:.1f} {name}" for unit, name in UNITS if size >= unit), f"{size} bytes")


def _left(shared: SharedRead) -> str:
    views = "" if shared.views_left is None else f" It can be opened {shared.views_left} more times."
    return f"<p class='by'>Until {shared.expires_at:%d %B %Y, %H:%M} UTC.{views}</p>"


def _page(title: str, content: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    html = PAGE.format(title=escape(title), content=content, style=STYLE)
    return Response(html, status, {"Content-Security-Policy": POLICY, **(headers or {})}, "text/html")
