"""Errors of jobs."""

from app.core.errors import NotFound


class JobNotFound(NotFound):
    """No such job, or somebody else's."""

    title = "There is no such job"


class JobFailed(Exception):
    """A job can't be done, however often it is tried; `message` is for the person who waits for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class LeaseLost(Exception):
    """Another worker holds the job now, or it was cancelled: stop, and write nothing more."""
