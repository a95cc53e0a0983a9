"""Every tool, in one list; importing this registers them."""

from app.agents.tools import items, memory, search

__all__ = ["items", "memory", "search"]
