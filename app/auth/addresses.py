"""E-mail addresses: what is accepted, and when two are the same."""

import unicodedata
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from app.core.crypto import lookup_digest
from app.db.runtime import current

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

LONGEST = 254  # RFC 5321 §4.5.3.1.3, without the brackets


def valid_email(address: str) -> str:
    """The address as its owner writes it, domain in lower case. Raises `ValueError`."""
    return _validated(address).normalized


def envelope_email(address: str) -> str:
    """The address as mail servers write it: in ASCII, unless its first part is not. Raises `ValueError`."""
    validated = _validated(address)
    return validated.ascii_email or validated.normalized


def _validated(address: str) -> "ValidatedEmail":
    """Checks the form; no name server is asked."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (takes a while to import)

    try:
        return validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None


EmailAddress = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=LONGEST),
    AfterValidator(valid_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": LONGEST}),
]


def normalise_email(address: str) -> str:
    """What two spellings of one address have in common; anything that is no address is only folded."""
    try:
        address = valid_email(address.strip())
    except ValueError:
        address = address.strip()
    return unicodedata.normalize("NFKC", address).casefold()


def email_digest(address: str) -> bytes:
    """The keyed digest under which an address is looked up."""
    key = current().settings.lookup_key_bytes
    return lookup_digest(key, "auth_users.email", normalise_email(address))
