"""Every tool, in one list; importing this registers them."""

from app.agents.tools import checks, documents, items, memory, reminders, search, writing

__all__ = ["checks", "documents", "items", "memory", "reminders", "search", "writing"]
