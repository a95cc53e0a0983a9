"""ETags of rows that count their revisions (RFC 9110 §8.8.3, §13.1)."""

from app.vault.errors import StaleRevision


def etag(revision: int | str) -> str:
    """The entity tag of a revision, or of a content digest."""
    return f'"{revision}"'


def matches(header: str, tag: str) -> bool:
    """Whether a list of entity tags, or `*`, names this one; weak tags compare like strong ones."""
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in named or tag in named


def check_revision(if_match: str | None, revision: int) -> None:
    """See that a change that names a revision means the present one. Raises `StaleRevision`."""
    if if_match is not None and not matches(if_match, etag(revision)):
        raise StaleRevision
