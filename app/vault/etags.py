"""ETags of rows that count their revisions (RFC 9110 §8.8.3, §13.1)."""

from app.vault.errors import RevisionRequired, StaleRevision


def etag(revision: int | str) -> str:
    """The entity tag of a revision, or of a content digest."""
    return f'"{revision}"'


def matches(header: str, tag: str) -> bool:
    """Whether a list of entity tags, or `*`, names this one; weak tags compare like strong ones."""
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in named or tag in named


def check_revision(if_match: str | None, revision: int, *, required: bool = False) -> None:
    """See that a change is meant for the present revision. Raises `StaleRevision`, `RevisionRequired`."""
    if if_match is None:
        if required:
            raise RevisionRequired
    elif not matches(if_match, etag(revision)):
        raise StaleRevision
