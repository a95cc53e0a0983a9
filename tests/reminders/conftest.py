"""A mail server that the application sends to."""

from tests.auth.conftest import mailbox

__all__ = ["mailbox"]
