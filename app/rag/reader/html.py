"""HTML: the part of it that a browser shows."""

import re
from html.parser import HTMLParser
from typing import Final

from app.rag.reader.pages import ReadPage, text_pages
from app.rag.reader.text import decode

_INVISIBLE: Final = frozenset({"iframe", "noscript", "script", "style", "svg", "template"})
_SPACE: Final = re.compile(r"\s+")
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "footer"}
    | {"form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"}
    | {"table", "title", "tr", "ul"}
)
_CELLS: Final = frozenset({"td", "th"})
_PARAGRAPHS: Final = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "p", "section", "table", "title"})


def read_html(content: bytes) -> list[ReadPage]:
    """The pages of an HTML file: what a browser would show, without running or fetching anything."""
    text, language = visible_text(decode(content))
    return text_pages([text], language)


def visible_text(html: str) -> tuple[str, str | None]:
    """The text of a page that a browser shows, and the language that it declares."""
    parser = _Visible()
    parser.feed(html)
    parser.close()
    lines = (_tidy(line) for line in "".join(parser.parts).split("\n"))
    paragraphs = (paragraph.strip() for paragraph in "\n".join(lines).split("\n\n"))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph), parser.language


def _tidy(line: str) -> str:
    return "\t".join(" ".join(cell.split()) for cell in line.split("\t")).strip()


class _Visible(HTMLParser):
    """Collects text. While something hidden is open, `_hidden` is its tag and `_depth` how often that tag is open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.language: str | None = None
        self._hidden = ""
        self._depth = 0
        self._preformatted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = values.get("lang") or None
        if self._hidden == "p" and tag in _BLOCKS:
            self._hidden = ""  # the next block ends a paragraph that was not closed
        if self._hidden:
            self._depth += tag == self._hidden
        elif tag not in _VOID and (tag in _INVISIBLE or _hides(values)):
            self._hidden, self._depth = tag, 1
        else:
            self._preformatted |= tag == "pre"
            self.parts.append("\t" if tag in _CELLS else _space(tag))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._depth -= tag == self._hidden
            self._hidden = self._hidden if self._depth else ""
        else:
            self._preformatted &= tag != "pre"
            self.parts.append(_space(tag))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data if self._preformatted else _SPACE.sub(" ", data))


def _space(tag: str) -> str:
    """What stands for the beginning or the end of an element."""
    if tag in _PARAGRAPHS:
        return "\n\n"
    return "\n" if tag in _BLOCKS else ""


def _hides(attributes: dict[str, str]) -> bool:
    style = attributes.get("style", "").replace(" ", "").lower()
    return "hidden" in attributes or "display:none" in style or "visibility:hidden" in style
