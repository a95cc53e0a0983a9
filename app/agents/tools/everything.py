"""Every tool, in one list; importing this registers them."""

from app.agents.tools import checks, items, memory, search

__all__ = ["checks", "items", "memory", "search"]
