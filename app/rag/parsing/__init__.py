"""Reading files without trusting them: what a file is, and the text of its pages, by a process that can do no harm."""

from app.core.sniff import sniff
from app.rag.parsing.sandbox import read_pages, show_page
from app.rag.reader.errors import Unreadable
from app.rag.reader.wire import Limits, PageEvent

__all__ = ["Limits", "PageEvent", "Unreadable", "read_pages", "show_page", "sniff"]
