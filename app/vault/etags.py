"""Preconditions of changes to rows that count their revisions (RFC 9110 §13.1.1)."""

from app.core.etags import etag, matches
from app.vault.errors import StaleRevision


def check_revision(if_match: str | None, revision: int) -> None:
    """See that a change that names a revision means the present one. Raises `StaleRevision`."""
    if if_match is not None and not matches(if_match, etag(revision)):
        raise StaleRevision
