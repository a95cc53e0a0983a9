"""Who acts."""

from typing import Final, Literal, TypeAlias, get_args

ActorKind: TypeAlias = Literal["person", "api_key", "identity", "nominee", "agent", "system"]
ACTOR_KINDS: Final[tuple[ActorKind, ...]] = get_args(ActorKind)
