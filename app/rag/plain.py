"""What a model wrote, as plain text: nothing in it that a client would load, follow or take for an order.

An address that a model writes could carry what the person stored to a stranger, and a document can talk a model into
writing one (OWASP LLM01, LLM05). So links, pictures, tags and characters that nobody sees are taken out.
"""

import html
import re

LEFT_OUT = "…"
MOST_PASSES = 8

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\s?\([^()]*(?:\([^()]*\)[^()]*)*\)")
_TAG = re.compile(r"</?[A-Za-z!?|][^<>]*>")
_REST = r"[^\s<>\"\u201c\u201d]*[^\s<>\"\u201c\u201d.,;:!?)\]]"
_ADDRESS = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{0,30}}:)?//{_REST}"
    rf"|\b(?:blob|data|file|javascript|mailto|vbscript):{_REST}"
    rf"|\bwww\.{_REST}"
    rf"|\b(?:[\w-]+\.)+[a-z]{{2,24}}(?::\d+)?[/?#]{_REST}",
    re.IGNORECASE,
)
_LOOSE_TAG = re.compile(r"<(?![\s\d=])")
_LOOSE_LINK = re.compile(r"\](?=[(\[:])")


def plain(text: str) -> str:
    """The text without links (their words stay), pictures, tags, addresses and invisible characters."""
    for _ in range(MOST_PASSES):  # what is taken out may have hidden another one around it
        before = text
        text = _INVISIBLE.sub("", html.unescape(text))
        text = _ADDRESS.sub(LEFT_OUT, _TAG.sub("", _LINK.sub(r"\1", text)))
        text = _LOOSE_LINK.sub("] ", _LOOSE_TAG.sub("", text))
        if text == before:
            break
    return text
