"""A mail server that the application sends to, and visitors from addresses of their own."""

from tests.auth.conftest import mailbox, visit, visitor

__all__ = ["mailbox", "visit", "visitor"]
