"""What a model wrote, as plain text: nothing in it that a client would load, follow or take for an order.

An address that a model writes could carry what the person stored to a stranger, and a document can talk a model into
writing one (OWASP LLM01, LLM05). So links, pictures, tags and characters that nobody sees are taken out.
"""

import html
import re
import string
from urllib.parse import urlsplit

LEFT_OUT = "…"
MOST_PASSES = 8

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_WIDE = {0xFEE0 + ord(each): each for each in string.ascii_letters + string.digits}
"""Full-width figures and letters, which a browser takes for the ordinary ones."""
_LINK = re.compile(r"!?\[([^\[\]]*)\]\s?\([^()]*(?:\([^()]*\)[^()]*)*\)")
_TAG = re.compile(r"</?[A-Za-z!?|][^<>]*>")
_REST = r"[^\s<>\"\u201c\u201d]*[^\s<>\"\u201c\u201d.,;:!?)\]]"
_COLON, _DOT, _SLASH = "[:\uff1a]", "[.\u3002\uff0e\uff61]", r"[/\\\u2044\u2215\uff0f\uff3c]"
_NO_HOST = "csv|docx?|eml|html?|jpe?g|json|md|msg|od[st]|pdf|png|pptx?|rtf|tiff?|txt|xlsx?|xml"
_ADDRESS = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{0,30}}{_COLON})?{_SLASH}{{2}}{_REST}"
    rf"|\bhttps?{_COLON}{_SLASH}{_REST}"
    rf"|\b(?:blob|data|file|javascript|mailto|vbscript){_COLON}{_REST}"
    rf"|\bwww{_DOT}{_REST}"
    rf"|\b(?:[\w-]{{1,63}}{_DOT}){{1,10}}[a-z]{{2,24}}(?::\d+)?[/\\?#\uff0f]{_REST}"
    rf"|\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?::\d+)?[/\\?#\uff0f]{_REST}"
    rf"|(?<![\w.@-])(?:[\w-]{{1,63}}{_DOT}){{2,10}}(?!(?:{_NO_HOST})\b)[a-z]{{2,24}}\b(?!\.?\w)",
    re.IGNORECASE,
)
"""With a scheme, with a path, or of three parts and more: the first of them could be a secret."""
_LOOSE_TAG = re.compile(r"<(?![\s\d=])")
_LOOSE_LINK = re.compile(r"\](?=[(\[:])")
_WHOLE_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,500})\]\(\s{0,5}(https?://[^\s()<>]{1,2000})\s{0,5}\)|(?<![\w/:.@(\[<-])https?://[^\s()<>\[\]\"']{1,2000}"
)

DEFAULT_PORTS = {"http": 80, "https": 443}


def plain(text: str, hosts: frozenset[str] = frozenset()) -> str:
    """The text without links (their words stay), pictures, tags, addresses and invisible characters.

    Links to `hosts` (with their port if it is another than that of the scheme) stay.
    """
    pieces, begin = [], 0
    for match in _WHOLE_LINK.finditer(text) if hosts else ():
        if _is_allowed(match[2] or match[0], hosts):
            pieces += [_plain(text[begin : match.start()]), match[0]]
            begin = match.end()
    return "".join([*pieces, _plain(text[begin:])])


def _is_allowed(url: str, hosts: frozenset[str]) -> bool:
    try:
        parts = urlsplit(url)
        port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    except ValueError:
        return False
    return f"{parts.hostname}{port}" in hosts and "@" not in parts.netloc and "\\" not in url


def _plain(text: str) -> str:
    for _ in range(MOST_PASSES):  # what is taken out may have hidden another one around it
        before = text
        text = _INVISIBLE.sub("", html.unescape(text)).translate(_WIDE)
        text = _ADDRESS.sub(LEFT_OUT, _TAG.sub("", _LINK.sub(r"\1", text)))
        text = _LOOSE_LINK.sub("] ", _LOOSE_TAG.sub("", text))
        if text == before:
            break
    return text
