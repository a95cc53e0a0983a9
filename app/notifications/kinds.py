"""What people are told of, and on which ways."""

from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["reminder", "review", "password", "api_key", "invitation", "legacy"]
Channel: TypeAlias = Literal["inbox", "email", "push"]
Digest: TypeAlias = Literal["off", "daily", "weekly"]
Titles: TypeAlias = Literal["full", "private"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
DEFAULT_CHANNELS: Final[dict[Kind, tuple[Channel, ...]]] = {
    "reminder": ("inbox", "email", "push"),
    "review": ("inbox", "email"),
    "password": ("inbox", "email"),
    "api_key": ("inbox", "email"),
    "invitation": ("inbox", "email", "push"),
    "legacy": ("inbox", "push"),  # letters about a release go out whatever a person prefers
}
