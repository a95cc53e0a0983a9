"""Plain pages without scripts, for people who follow a link in an e-mail."""

from html import escape
from typing import Final

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:{width}rem;margin:4rem auto;padding:0 1rem;color:#1d2530}}
button,input,textarea{{font:inherit;padding:.6rem 1rem;border-radius:6px;border:1px solid #8894a4}}input,textarea{{
width:100%;box-sizing:border-box;margin:.3rem 0 1rem}}button{{background:#14532d;border:0;color:#fff}}
button.no{{background:#7f1d1d}}dt{{font-weight:600}}</style></head>
<body><h1>{title}</h1>{content}</body></html>"""


def page(title: str, content: str, *, wide: bool = False) -> str:
    """A page; `content` is HTML, the title is text."""
    return PAGE.format(title=escape(title), content=content, width=46 if wide else 30)


def hidden(**values: object) -> str:
    """Fields that a form carries along."""
    fields = (f'<input type="hidden" name="{name}" value="{escape(str(value))}">' for name, value in values.items())
    return "".join(fields)


def form(action: str, button: str, fields: str = "", *, kind: str = "", files: bool = False) -> str:
    """A form that posts; `fields` is HTML, `kind` the class of its button."""
    encoding = ' enctype="multipart/form-data"' if files else ""
    style = f' class="{kind}"' if kind else ""
    return f'<form method="post" action="{action}"{encoding}>{fields}<button{style}>{escape(button)}</button></form>'
